"""The rows of the group table and of the label table that follow from the segments of one shard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from groupstream import CorruptError
from groupstream.binary import integers
from groupstream.group_table import LABEL_SCHEMA, SCHEMA
from groupstream.tfrecord import OVERHEAD_BYTES

_SUMS = ("length_bytes", "num_examples", "num_words")


class GroupPartWriter:
    """Takes the segments of a shard in order; writes one row a group, and one row a label of a group.

    A group may go on in the segments that come next, so the last one is held back until another begins.

    Args:
        group_file: where the rows of the groups go, as `group_table.SCHEMA`.
        label_file: where the rows of their labels go, as `group_table.LABEL_SCHEMA`, groups numbered from 0.
    """

    def __init__(self, group_file: Path, label_file: Path, shard_index: int) -> None:
        self._groups = pq.ParquetWriter(group_file, SCHEMA)
        self._labels = pq.ParquetWriter(label_file, LABEL_SCHEMA)
        self._shard_index = shard_index
        self._offset = 0
        self._waiting: pa.Table | None = None
        self.num_groups = 0
        self.num_examples = 0

    def __enter__(self) -> GroupPartWriter:
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        if kind is None and self._waiting is not None:
            self._write(self._waiting)
        self._groups.close()
        self._labels.close()

    def add(self, segments: pa.Table) -> None:
        """Takes the next segments."""
        segments = segments.drop_columns(["offset_bytes", "run"])
        if self._waiting is not None:
            segments = pa.concat_tables([self._waiting, segments])
        segments = segments.combine_chunks()
        last = int(first_of_groups(segments)[-1])
        if last:
            self._write(segments.slice(0, last))
        self._waiting = _summed(segments.slice(last))

    def _write(self, segments: pa.Table) -> None:
        first = first_of_groups(segments)
        refuse_collisions(segments["group_id"].combine_chunks(), first)
        sums = {name: np.add.reduceat(segments[name].to_numpy(), first) for name in _SUMS}
        heads = segments.select(["group_id", "group_hash"]).take(integers(first))
        rows = {
            "group_id": heads["group_id"],
            "group_hash": heads["group_hash"],
            "shard_index": np.full(len(first), self._shard_index, np.int32),
            "offset_bytes": self._offset + np.cumsum(sums["length_bytes"]) - sums["length_bytes"],
            "num_bytes": sums["length_bytes"] - OVERHEAD_BYTES * sums["num_examples"],
            **sums,
        }
        self._groups.write_table(pa.table({name: rows[name] for name in SCHEMA.names}, schema=SCHEMA))
        self._write_labels(segments, first)
        self._offset += int(sums["length_bytes"].sum())
        self.num_groups += len(first)
        self.num_examples += int(sums["num_examples"].sum())

    def _write_labels(self, segments: pa.Table, first: np.ndarray) -> None:
        counts = np.diff(np.append(first, len(segments)))
        group_rows = self.num_groups + np.repeat(np.arange(len(first)), counts)
        table = _label_rows(segments, group_rows)
        if len(table):
            self._labels.write_table(table)


def _label_rows(segments: pa.Table, group_rows: np.ndarray) -> pa.Table:
    """The labels of segments, those of a group together, in the order of their bytes."""
    per_segment = pc.list_value_length(segments["labels"]).to_numpy()
    table = pa.table(
        {
            "group_row": np.repeat(group_rows, per_segment),
            "label": pc.list_flatten(segments["labels"]),
            "num_examples": pc.list_flatten(segments["label_examples"]),
        }
    )
    summed = table.group_by(["group_row", "label"], use_threads=False).aggregate([("num_examples", "sum")])
    summed = summed.rename_columns(["group_row", "label", "num_examples"]).cast(LABEL_SCHEMA)
    return summed.sort_by([("group_row", "ascending"), ("label", "ascending")])


def _summed(segments: pa.Table) -> pa.Table:
    """The segments of one group as one, so that a group of many segments takes no more memory than one of few."""
    if len(segments) == 1:
        return segments
    labels = _label_rows(segments, np.zeros(len(segments), np.int64))
    head = segments.slice(0, 1).to_pylist()[0]
    sums = {name: pc.sum(segments[name]).as_py() for name in _SUMS}
    lists = {"labels": labels["label"].to_pylist(), "label_examples": labels["num_examples"].to_pylist()}
    refuse_collisions(segments["group_id"].combine_chunks(), np.zeros(1, np.int64))
    return pa.Table.from_pylist([{**head, **sums, **lists}], segments.schema)


def first_of_groups(segments: pa.Table) -> np.ndarray:
    """int64[num_groups]: the first segment of each group."""
    first = np.ones(len(segments), bool)
    for position, name in enumerate(("hash_first", "hash_last")):
        words = segments[name].to_numpy()
        differs = words[1:] != words[:-1]
        first[1:] = differs if position == 0 else first[1:] | differs
    return np.flatnonzero(first)


def refuse_collisions(group_ids: pa.Array, first: np.ndarray) -> None:
    """Two groups with one 128-bit hash would be mixed. It will not happen; if it does, nothing is lost."""
    head = np.repeat(first, np.diff(np.append(first, len(group_ids))))
    same = pc.equal(group_ids, group_ids.take(integers(head)))
    if not pc.all(same).as_py():
        wrong = group_ids.filter(pc.invert(same))[0].as_py()
        raise CorruptError(f"group {wrong!r} has the same hash as another group; set another seed in the spec")
