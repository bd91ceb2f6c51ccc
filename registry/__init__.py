"""The registry: which versions exist, how they were built, and every run that tried to build one.

The store is the truth: a version exists when its manifest.json does. The registry answers questions about all
versions at once, without reading a store, and keeps what the store does not hold: the runs.

    with closing(Registry(default_registry_url())) as registry:
        newest = registry.versions("fedwiki")[-1]

    models.py      the tables            migrations/   how they came to be
    database.py    opens and migrates    registry.py   what may be asked and recorded
"""

from registry.errors import RegistryError
from registry.records import RunRecord, VersionRecord
from registry.registry import Registry
from registry.url import default_registry_url

__all__ = ["Registry", "RegistryError", "RunRecord", "VersionRecord", "default_registry_url"]
