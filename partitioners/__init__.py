"""Rules that give each example its group. One file a rule; to add one, write its file and name it in AnyPartitioner."""

from typing import Annotated

from pydantic import Field

from partitioners.feature import ByFeature
from partitioners.partitioner import CountingPartitioner, ExampleIds, Partitioner, Rule, RulePartitioner
from partitioners.url_domain import ByUrlDomain
from partitioners.url_host import ByUrlHost

AnyPartitioner = Annotated[ByFeature | ByUrlHost | ByUrlDomain, Field(discriminator="kind")]

__all__ = [
    "AnyPartitioner",
    "ByFeature",
    "ByUrlDomain",
    "ByUrlHost",
    "CountingPartitioner",
    "ExampleIds",
    "Partitioner",
    "Rule",
    "RulePartitioner",
]
