"""The names of the files of a version.

<root>/<dataset>/<version>/
    claim.json                        first: which build writes this version
    train-00000-of-00002.tfrecord     the examples, those of a group adjacent
    train.groups.parquet              one row per group
    train.labels.parquet              one row per label of a group, where the examples have a label
    features.json, dataset_info.json  so that the folder is also an ordinary TFDS dataset
    README.md, croissant.json         the dataset card for the Hugging Face Hub, and Croissant metadata
    report/                           the dataset card for people, the results of the checks
    manifest.json                     last: this is the commit
    tombstone.json                    only where the version is deleted: since when, and why

<root>/<dataset>/catalog.json         what is published of the dataset, its aliases, what is deprecated or deleted
<root>/catalog.json                   the names of the datasets
"""

from __future__ import annotations

import re

from groupstream.errors import UsageError

MANIFEST = "manifest.json"
CLAIM = "claim.json"
CARD = "report/card.html"
CHECKS = "report/checks.json"
DATA_DOCS = "report/data_docs.html"  # of Great Expectations
README = "README.md"
CROISSANT = "croissant.json"
TOMBSTONE = "tombstone.json"
CATALOG = "catalog.json"  # of a dataset in its folder, and of all datasets in the root

# Under the root, beside the datasets:
STAGING = ".staging"  # what builds in progress write
REPORTS = ".reports"  # <dataset>/<run>/: what a run leaves beside its version, or instead of one
REPORT = "report.html"  # in it: the card of what a run did not publish, since checks failed
QUARANTINE = "quarantine.parquet"  # in it, too: examples that broke a check
CATALOG_PAGE = "catalog.html"
PULLS = ".pulls"  # <dataset>/<version>/: who pulled it, a small file each time

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
_SPLIT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_VERSION = re.compile(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)")


def shard_file(split: str, shard_index: int, num_shards: int) -> str:
    """The file name of a shard."""
    return f"{split}-{shard_index:05d}-of-{num_shards:05d}.tfrecord"


def group_table_file(split: str) -> str:
    """The file name of the group index of a split."""
    return f"{split}.groups.parquet"


def label_table_file(split: str) -> str:
    """The file name of the label table of a split, where there is one."""
    return f"{split}.labels.parquet"


def is_name(text: str) -> bool:
    """Whether `text` may name a dataset, and so a folder."""
    return _NAME.fullmatch(text) is not None


def is_split(text: str) -> bool:
    """Whether `text` may name a split, and so begin the names of its files; specs are stricter."""
    return _SPLIT.fullmatch(text) is not None


def is_alias(text: str) -> bool:
    """Whether `text` may name a version of a dataset beside its number, such as latest or stable."""
    return _ALIAS.fullmatch(text) is not None


def version_key(version: str) -> tuple[int, int, int]:
    """What versions sort by.

    Raises:
        UsageError: not three numbers with dots between.
    """
    match = _VERSION.fullmatch(version)
    if not match:
        raise UsageError(f"{version!r} is not a version; write three numbers, such as 1.0.0")
    major, minor, patch = map(int, match.groups())
    return major, minor, patch


def is_version(text: str) -> bool:
    """Whether `text` is a version such as 1.0.0."""
    return _VERSION.fullmatch(text) is not None
