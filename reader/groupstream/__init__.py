"""groupstream: datasets whose examples belong to groups.

import groupstream

dataset = groupstream.open("stdlib@latest")
for group in dataset["train"]:
    print(group.name, group.num_examples)
table = dataset["train"].group("json").table()
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from groupstream.cohorts import Cohort, Cohorts
    from groupstream.dataset import Dataset, Split
    from groupstream.dataset import open_dataset as open
    from groupstream.features import Feature
    from groupstream.group import Group
    from groupstream.manifest import Manifest
    from groupstream.pulling.version import pull
    from groupstream.stream import GroupStream

from groupstream.deprecation import DeprecatedVersionWarning
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
    StoreError,
    UnknownKeyError,
    UsageError,
    WorkerError,
)

__version__ = "0.1.0"

__all__ = [
    "CheckError",
    "Cohort",
    "Cohorts",
    "ConflictError",
    "CorruptError",
    "Dataset",
    "DeprecatedVersionWarning",
    "ExampleError",
    "Feature",
    "Group",
    "GroupStream",
    "GroupstreamError",
    "Manifest",
    "PublishError",
    "RefNotFoundError",
    "SourceError",
    "SpecError",
    "Split",
    "StoreError",
    "UnknownKeyError",
    "UsageError",
    "WorkerError",
    "open",
    "pull",
]

_LAZY = {  # imported when they are first asked for, so that the command line answers at once
    "Cohort": ("groupstream.cohorts", "Cohort"),
    "Cohorts": ("groupstream.cohorts", "Cohorts"),
    "Dataset": ("groupstream.dataset", "Dataset"),
    "Feature": ("groupstream.features", "Feature"),
    "Group": ("groupstream.group", "Group"),
    "GroupStream": ("groupstream.stream", "GroupStream"),
    "Manifest": ("groupstream.manifest", "Manifest"),
    "Split": ("groupstream.dataset", "Split"),
    "open": ("groupstream.dataset", "open_dataset"),
    "pull": ("groupstream.pulling.version", "pull"),
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _LAZY[name]
    value = globals()[name] = getattr(importlib.import_module(module), attribute)
    return value
