"""The registry: which versions exist, how they were built, who used them, and every run that tried to build one.

The store is the truth: a version exists when its manifest.json does, and its catalog says what leads to it. The
registry answers questions about all versions at once, without reading a store, and keeps what the store does not hold.

    with closing(Registry(default_registry_url())) as registry:
        newest = registry.versions("fedwiki")[-1]

    models.py      the tables            migrations/   how they came to be
    database.py    opens and migrates    retries.py    tries again what fails for a passing reason
    registry.py    what may be asked and recorded, in parts: runs.py, versions.py, catalogs.py, lineage.py
"""

from registry.errors import RegistryError
from registry.records import (
    AliasMoveRecord,
    DatasetRecord,
    Lineage,
    Metric,
    PullRecord,
    RelatedVersion,
    RunRecord,
    VersionRecord,
)
from registry.registry import Registry
from registry.url import default_registry_url

__all__ = [
    "AliasMoveRecord",
    "DatasetRecord",
    "Lineage",
    "Metric",
    "PullRecord",
    "Registry",
    "RegistryError",
    "RelatedVersion",
    "RunRecord",
    "VersionRecord",
    "default_registry_url",
]
