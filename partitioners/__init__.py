"""Rules that give each example its group. One file a rule; to add one, write its file and name it in AnyPartitioner."""

from typing import Annotated

from pydantic import Field

from partitioners.clusters import ByClusters
from partitioners.composite import ByComposite
from partitioners.continuous import ByContinuous
from partitioners.dirichlet_fixed_sizes import ByDirichletFixedSizes
from partitioners.distribution_matrix import ByDistributionMatrix
from partitioners.equal_silos import ByEqualSilos
from partitioners.feature import ByFeature
from partitioners.fixed_sizes import ByFixedSizes
from partitioners.function import ByFunction
from partitioners.iid import ByIid
from partitioners.label_dirichlet import ByLabelDirichlet
from partitioners.mapping import ByMapping
from partitioners.partitioner import CountingPartitioner, ExampleIds, Partitioner, Rule, RulePartitioner
from partitioners.pathological import ByPathological
from partitioners.regex import ByRegex
from partitioners.shards import ByShards
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
    | ByEqualSilos
    | ByMapping
    | ByFunction
    | ByIid
    | ByFixedSizes
    | BySizeShape
    | ByLabelDirichlet
    | ByDirichletFixedSizes
    | ByTwoLevels
    | ByPathological
    | ByShards
    | ByDistributionMatrix
    | ByContinuous
    | ByClusters,
    Field(discriminator="kind"),
]

__all__ = [
    "AnyPartitioner",
    "ByClusters",
    "ByComposite",
    "ByContinuous",
    "ByDirichletFixedSizes",
    "ByDistributionMatrix",
    "ByEqualSilos",
    "ByFeature",
    "ByFixedSizes",
    "ByFunction",
    "ByIid",
    "ByLabelDirichlet",
    "ByMapping",
    "ByPathological",
    "ByRegex",
    "ByShards",
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
