"""The card of a version, drawn from what is published, or from a draft of it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from cards import CardContent, SplitSource, render_card
from groupstream import CorruptError
from groupstream.dataset import Dataset, Split
from groupstream.features import GROUP_ID
from groupstream.group_order import HASH_BYTES
from groupstream.manifest import Manifest
from groupstream.version_differences import version_differences
from partitioners import AnyPartitioner, Partitioner
from partitioners.splits import ONLY_SPLIT, AnySplits
from pipelines.tally import CHECK_PREFIX

_SAMPLES = 6


def draw_card(manifest: Manifest, dataset: Dataset, previous: Dataset | None = None, *, notice: str = "") -> str:
    """The whole HTML page of a version.

    Its tables are read a column at a time; of groups it holds numbers, and the names of the largest only: of 5 million
    groups with 3 labels each about 350 MB, in 10 seconds.

    Args:
        manifest: what the page says; that of `dataset`, or what it will be.
        dataset: whose group tables, label tables and first examples are read.
        previous: the version before it, to show what changed.
        notice: a line to stand above everything, such as why it is not published. Then what cannot be read is left
            out: that may be the reason.

    Raises:
        CorruptError: what was written cannot be read, and there is no notice.
    """
    said = CardContent(
        manifest=manifest,
        splits={},
        num_groups=sum(split.statistics.num_groups for split in manifest.splits.values()),
        partitioner=partitioner_in_words(manifest.spec),
        splitting=splits_in_words(manifest.spec),
        rejected=frozenset(reason for reason in manifest.counts.dropped if reason.startswith(CHECK_PREFIX)),
        notice=notice,
    )
    try:
        return render_card(_with_data(said, dataset, previous))
    except CorruptError:
        if not notice:
            raise
        return render_card(said)


def _with_data(said: CardContent, dataset: Dataset, previous: Dataset | None) -> CardContent:
    differences = None if previous is None else version_differences(previous, dataset)
    return dataclasses.replace(
        said,
        splits={name: _source_of(split) for name, split in dataset.items()},
        num_groups=_num_groups(dataset),
        samples=_samples(dataset),
        differences=None if differences is None else {**differences, "after": said.manifest.ref},
    )


def partitioner_in_words(spec: Mapping[str, Any]) -> str:
    """What the partitioner of a spec does; empty where this version of ours knows none like it.

    A published spec does not say where a file of its partitioner lies.
    """
    fields = spec.get("partitioner")
    if not isinstance(fields, dict):
        return ""
    for more in ({}, dict.fromkeys(_places(fields.get("kind")), "-")):
        try:
            found: Partitioner = TypeAdapter(AnyPartitioner).validate_python({**more, **_said(fields)})
        except ValidationError:
            continue
        return " ".join(filter(None, (found.in_words, found.missing_in_words)))
    return ""


def _said(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}


def _places(kind: Any) -> frozenset[str]:
    kinds: tuple[type[Partitioner], ...] = get_args(get_args(AnyPartitioner)[0])
    return next((k.places for k in kinds if k.model_fields["kind"].default == kind), frozenset())


def splits_in_words(spec: Mapping[str, Any]) -> str:
    """Which examples are in which split; empty where this version of ours does not know."""
    if spec.get("splits") is None:
        return f"All examples are in {ONLY_SPLIT}."
    try:
        return TypeAdapter(AnySplits).validate_python(spec["splits"]).in_words
    except ValidationError:
        return ""


def _source_of(split: Split) -> SplitSource:
    def column(name: str) -> np.ndarray:
        found, end = np.empty(split.index_file.num_rows, np.int64), 0
        for batch in split.index_file.batches([name]):
            found[end : end + len(batch)] = np.from_dlpack(batch.column(name))
            end += len(batch)
        return found

    def ids_at(rows: set[int]) -> dict[int, bytes]:
        return {row: found.group_ids[0] for row in rows for found in split.index_file.rows(row, row + 1)}

    labels = split.label_file
    return SplitSource(column, ids_at, None if labels is None else labels.batches)


def _num_groups(dataset: Dataset) -> int:
    """Different groups: where examples are held out, a group may be in several splits.

    The first half of a hash tells groups apart: of 5 million, two share one with a probability of 1 in a million.
    """
    splits = dataset.manifest.spec.get("splits")
    if len(dataset) < 2 or (isinstance(splits, dict) and splits.get("by") == "group"):
        return sum(split.num_groups for split in dataset.values())
    words = [_first_words(batch) for split in dataset.values() for batch in split.index_file.batches(["group_hash"])]
    return len(np.unique(np.concatenate([np.empty(0, np.uint64), *words])))


def _first_words(batch: pa.RecordBatch) -> np.ndarray:
    """uint64[num_groups]: the first half of each hash."""
    hashes = batch.column("group_hash")
    raw = np.frombuffer(hashes.buffers()[1], np.uint8).reshape(-1, HASH_BYTES)[hashes.offset :][: len(batch)]
    return np.ascontiguousarray(raw[:, :8]).view(np.uint64).ravel()


def _samples(dataset: Dataset) -> list[dict[str, Any]]:
    """The first example of each of the first groups of the largest split."""
    largest = max(dataset.values(), key=lambda split: split.num_examples, default=None)
    for rows in () if largest is None else itertools.islice(largest.index_file.rows(0, _SAMPLES), 1):
        assert largest is not None
        return [{GROUP_ID: group.id, **next(group.examples())} for group in largest.groups_of(rows)]
    return []
