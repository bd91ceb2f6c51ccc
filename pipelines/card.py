"""The card of a version, drawn from what is published, or from a draft of it."""

from __future__ import annotations

import itertools
from typing import Any

import pyarrow as pa

from cards import render_card
from groupstream.dataset import Dataset
from groupstream.features import GROUP_ID
from groupstream.manifest import Manifest

_SAMPLES = 3
_COLUMNS = ["group_id", "num_examples", "num_bytes", "num_words"]


def draw_card(manifest: Manifest, dataset: Dataset, previous: Dataset | None = None, *, notice: str = "") -> str:
    """The whole HTML page of a version.

    Args:
        manifest: what the page says; that of `dataset`, or what it will be.
        dataset: whose group tables, label tables and first examples are read.
        previous: the version before it, to show what changed.
        notice: a line to stand above everything, such as why it is not published.

    Raises:
        CorruptError: what was written cannot be read.
    """
    tables = {name: split.group_table(_COLUMNS) for name, split in dataset.items()}
    return render_card(manifest, tables, _samples(dataset), _label_tables(dataset), notice=notice)


def _label_tables(dataset: Dataset) -> dict[str, pa.Table]:
    return {name: split.label_file.read() for name, split in dataset.items() if split.label_file is not None}


def _samples(dataset: Dataset) -> list[dict[str, Any]]:
    """The first example of each of the first groups of the first split."""
    for split in itertools.islice(dataset.values(), 1):
        for rows in itertools.islice(split.index_file.rows(0, _SAMPLES), 1):
            return [{GROUP_ID: group.id, **next(group.examples())} for group in split.groups_of(rows)]
    return []
