"""Rules that give each example its group. One file a rule; to add one, write its file and name it in AnyPartitioner."""

from typing import Annotated

from pydantic import Field

from partitioners.composite import ByComposite
from partitioners.distribution_matrix import ByDistributionMatrix
from partitioners.feature import ByFeature
from partitioners.function import ByFunction
from partitioners.iid import ByIid
from partitioners.label_dirichlet import ByLabelDirichlet
from partitioners.mapping import ByMapping
from partitioners.partitioner import CountingPartitioner, ExampleIds, Partitioner, Rule, RulePartitioner
from partitioners.pathological import ByPathological
from partitioners.regex import ByRegex
from partitioners.silos import BySilos
from partitioners.sized import BySizeShape
from partitioners.time_buckets import ByTimeBuckets
from partitioners.two_level import ByTwoLevels
from partitioners.url_domain import ByUrlDomain
from partitioners.url_host import ByUrlHost

AnyPartitioner = Annotated[
    ByFeature
    | ByComposite
    | ByUrlHost
    | ByUrlDomain
    | ByRegex
    | ByTimeBuckets
    | BySilos
    | ByMapping
    | ByFunction
    | ByIid
    | BySizeShape
    | ByLabelDirichlet
    | ByTwoLevels
    | ByPathological
    | ByDistributionMatrix,
    Field(discriminator="kind"),
]

__all__ = [
    "AnyPartitioner",
    "ByComposite",
    "ByDistributionMatrix",
    "ByFeature",
    "ByFunction",
    "ByIid",
    "ByLabelDirichlet",
    "ByMapping",
    "ByPathological",
    "ByRegex",
    "BySilos",
    "BySizeShape",
    "ByTimeBuckets",
    "ByTwoLevels",
    "ByUrlDomain",
    "ByUrlHost",
    "CountingPartitioner",
    "ExampleIds",
    "Partitioner",
    "Rule",
    "RulePartitioner",
]
