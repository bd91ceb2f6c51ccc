"""Whether the label table counts the examples of the groups."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groupstream.commands.printing import counted
from groupstream.dataset import Split
from groupstream.errors import CorruptError
from groupstream.features import Features
from groupstream.group_rows import numbers_of
from groupstream.verify_finding import MAX_OFFENDERS, Fault, Finding, name_of
from groupstream.verify_tables import group_batches, label_batches


def check_labels(spec: dict[str, Any], splits: Iterable[Split]) -> Finding:
    """Reads all label tables. Holds 16 bytes a group.

    Args:
        spec: of the manifest.
    """
    finding = Finding("label tables", "groups in range and ascending, labels once, examples at most those of the group")
    num_rows, num_tables = 0, 0
    for split in splits:
        table = _LabelTable(split, finding)
        try:
            if split.label_file is None:
                continue
            table.open()
            for batch in label_batches(split):
                table.add(batch)
                num_rows += len(batch)
            table.end(is_complete=_all_have_labels(spec, split.features))
        except CorruptError as error:
            finding.add(table.name, "cannot be read", str(error))
        num_tables += 1
    finding.seen = f"{counted(num_rows, 'row')} in {counted(num_tables, 'table')}"
    return finding


def _all_have_labels(spec: dict[str, Any], features: Features) -> bool:
    """Whether the feature that is counted is in every example. Which it is, `pipelines.plan` says."""
    named = [name for name, feature in features.items() if feature.labels and not feature.shape]
    name = spec.get("label_feature") or (named[0] if len(named) == 1 else "label")
    return name in features and not features[name].optional


class _LabelTable:
    """The rows of one label table, as they come."""

    def __init__(self, split: Split, finding: Finding) -> None:
        self._split = split
        self._finding = finding
        self.name = name_of(f"the label table of {split.name}")
        self._sizes = np.zeros(0, np.int64)  # of the groups, in examples
        self._counted = np.zeros(0, np.int64)  # of them, in the rows so far
        self._last: tuple[int, bytes] = (-1, b"")

    def open(self) -> None:
        """Reads the sizes of the groups."""
        batches = group_batches(self._split, ["num_examples"])
        self._sizes = np.concatenate([self._sizes, *(numbers_of(batch.column(0)) for batch in batches)])
        self._counted = np.zeros_like(self._sizes)

    def add(self, batch: pa.RecordBatch) -> None:
        """Takes the next rows."""
        rows, counts = numbers_of(batch.column("group_row")), numbers_of(batch.column("num_examples"))
        inside = (rows >= 0) & (rows < len(self._sizes))
        self._note(~inside, rows, f"of {counted(len(self._sizes), 'group')}")
        self._note(self._out_of_order(rows, batch.column("label")), rows, "not after the row before it")
        self._note(counts < 1, rows, "with no example")
        np.add.at(self._counted, rows[inside], counts[inside])

    def end(self, *, is_complete: bool) -> None:
        """After the last row.

        Args:
            is_complete: whether each example has a label.
        """
        wrong = self._counted != self._sizes if is_complete else self._counted > self._sizes
        first = np.flatnonzero(wrong)[:MAX_OFFENDERS].tolist()
        details = [f"{self._counted[row]:,} labels of {self._sizes[row]:,} examples" for row in first]
        self._finding.add_all(list(map(self._fault, first, details)), int(wrong.sum()))

    def _out_of_order(self, rows: np.ndarray, labels: pa.Array) -> np.ndarray:
        """bool[num_rows]: group and label do not ascend."""
        before = np.append(self._last[0], rows[:-1])
        labels_before = pa.concat_arrays([pa.array([self._last[1]], labels.type), labels[:-1]])
        rises = np.asarray(pc.greater(labels, labels_before).to_numpy(zero_copy_only=False), bool)
        self._last = int(rows[-1]), labels[-1].as_py()
        return (rows < before) | ((rows == before) & ~rises)

    def _note(self, wrong: np.ndarray, rows: np.ndarray, detail: str) -> None:
        first = np.flatnonzero(wrong)[:MAX_OFFENDERS]
        self._finding.add_all([self._fault(row, detail) for row in rows[first].tolist()], int(wrong.sum()))

    def _fault(self, row: int, detail: str) -> Fault:
        text = f"{self.name}: group number {row:,}, {detail}"
        return Fault(text, f"{self._split.location}, {text}. Build it again")
