"""What a store says of its datasets: `catalog.json` in the folder of each, and one in the root with their names.

A version exists when its manifest does, and never changes. What may change around it is here: which aliases lead to
it, whether it is deprecated or deleted. Who has nothing but read access lists and resolves by it in one request. It is
the truth about aliases; the registry keeps a copy. Where it is missing, or lacks a version, the folders are the truth.

    model.py     what it holds          changes.py   pure functions: a catalog before, one after
    files.py     reads it, and writes it by compare and swap
"""

from groupstream.catalog.files import dataset_names, ensure_listed, read_catalog, update_catalog
from groupstream.catalog.model import (
    LATEST,
    AliasMove,
    CatalogSplit,
    CatalogVersion,
    DatasetCatalog,
    describe_published,
)

__all__ = [
    "LATEST",
    "AliasMove",
    "CatalogSplit",
    "CatalogVersion",
    "DatasetCatalog",
    "dataset_names",
    "describe_published",
    "ensure_listed",
    "read_catalog",
    "update_catalog",
]
