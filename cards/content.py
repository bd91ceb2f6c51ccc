"""What a card is drawn from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from groupstream.label_skew import Ints
from groupstream.manifest import Manifest


@dataclass(frozen=True)
class SplitSource:
    """What a card asks of a split. Each call reads anew, so that no more than one column of it is ever held.

    Attributes:
        column: int64[num_groups] of its group table, by name: num_examples, num_bytes or num_words.
        ids_at: the ids of the groups at some rows, by row.
        label_batches: its label table from the beginning, as `LABEL_SCHEMA` says; None where it has none.
    """

    column: Callable[[str], Ints]
    ids_at: Callable[[set[int]], Mapping[int, bytes]]
    label_batches: Callable[[], Iterable[pa.RecordBatch]] | None = None


@dataclass(frozen=True)
class CardContent:
    """A version, and what is to be said of it.

    Attributes:
        manifest: its `files` and `digest` need not know the card yet.
        splits: by name, those of the manifest that can be read.
        num_groups: different groups in all splits together.
        samples: examples to show, as Python values by feature name, with their group under "group_id".
        partitioner: what it does, in words; names of features stand between backticks. Empty where nobody knows.
        splitting: the same of the splits.
        rejected: which reasons of `counts.dropped` are checks of examples; those examples are in quarantine.
        differences: from the version before, as `version_differences` gives them; None in the first.
        notice: why it is not published; empty for what is.
    """

    manifest: Manifest
    splits: Mapping[str, SplitSource]
    num_groups: int
    samples: Sequence[Mapping[str, object]] = ()
    partitioner: str = ""
    splitting: str = ""
    rejected: frozenset[str] = frozenset()
    differences: Mapping[str, Any] | None = field(default=None)
    notice: str = ""
