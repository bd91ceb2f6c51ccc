"""groupstream: datasets whose examples belong to groups.

    import groupstream

    dataset = groupstream.open("stdlib@latest")
    for group in dataset["train"]:
        print(group.name, group.num_examples)
    table = dataset["train"].group("json").table()
"""

from groupstream.dataset import Dataset, Group, Split
from groupstream.dataset import open_dataset as open
from groupstream.errors import (
    CheckError,
    ConflictError,
    CorruptError,
    ExampleError,
    GroupstreamError,
    PublishError,
    RefNotFoundError,
    SourceError,
    SpecError,
    UsageError,
)
from groupstream.features import Feature
from groupstream.manifest import Manifest

__version__ = "0.1.0"

__all__ = [
    "CheckError",
    "ConflictError",
    "CorruptError",
    "Dataset",
    "ExampleError",
    "Feature",
    "Group",
    "GroupstreamError",
    "Manifest",
    "PublishError",
    "RefNotFoundError",
    "SourceError",
    "SpecError",
    "Split",
    "UsageError",
    "open",
]
