"""Regroup: what is done to groups that are too small or too large, between the spill and the merge.

The groups of one range of hashes are looked at in the order of their hashes, those of all splits together. Of each
that is dropped, merged, capped or split the hash is noted; what stays of it is spilled again, under its new id. Which
groups stand in which range changes nothing in the result: a merged group holds the small ones in the order of their
hashes, whatever the ranges.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import IO

import numpy as np
import pyarrow as pa

from groupstream.binary import integers
from groupstream.examples.decoding import decode_examples
from groupstream.features import Feature
from pipelines.batches import Batch
from pipelines.memory import MemoryBudget
from pipelines.merge import chunk_bytes_of, num_shards_of
from pipelines.regroup_filter import HASH_WORDS, RegroupedRange, bounds_of
from pipelines.regroup_groups import Groups, Records, read_groups, whole_groups
from pipelines.regroup_rule import Examples, RegroupRule
from pipelines.run_file import Run
from pipelines.run_reader import RunReader
from pipelines.runs import RunWriter, Shape
from pipelines.segments import segments_of_shard
from pipelines.staging import StagingArea
from pipelines.tally import Tally, total
from sources import Piece


def num_shards_after(
    runs: Sequence[Run], regrouped: Sequence[RegroupedRange], split: str, shard_bytes: int | None
) -> int:
    """How many shards a split gets: see `num_shards_for`. What is excluded does not count."""
    made = [run for one in regrouped for run in one.runs]
    size = sum(run.size_bytes for run in [*runs, *made] if run.split == split)
    return num_shards_of(size - sum(one.excluded_bytes[split] for one in regrouped), shard_bytes)


def regroup_range(
    staging: StagingArea,
    runs: Sequence[Run],
    rule: RegroupRule,
    shape: Shape,
    budget: MemoryBudget,
    index: int,
    num_ranges: int,
) -> RegroupedRange:
    """Applies the rule to the groups of one range of hashes.

    What it writes has names that the result alone knows: if it is done again, one of the results counts.

    Args:
        runs: of the spill, of all splits.
        index: which range, of `num_ranges`.
    """
    runs = [run for run in runs if run.path is not None]
    budget = _shared(budget)
    chunk_bytes = chunk_bytes_of(staging, budget)
    path = f"regrouped/{uuid.uuid4().hex}.hashes"
    regrouping = _Regrouping(rule, shape, runs, RunWriter(staging, shape, budget.payload_bytes), index)
    with staging.writing(path) as file, open(file, "wb") as hashes, RunReader(staging, runs) as reader:
        tables = segments_of_shard(staging, runs, index, num_ranges, budget.segments, reader.map_reads)
        for groups in whole_groups(tables):
            regrouping.add(groups, hashes, reader, chunk_bytes)
    return regrouping.result(path, *bounds_of(index, num_ranges))


def _shared(budget: MemoryBudget) -> MemoryBudget:
    """Less of each, since here is read, decoded and spilled at once."""
    return MemoryBudget(budget.payload_bytes // 3, max(budget.chunk_bytes // 3, 1), max(budget.segments // 4, 1))


class _Regrouping:
    """What is known so far of a range, and what waits to be spilled."""

    def __init__(self, rule: RegroupRule, shape: Shape, runs: Sequence[Run], writer: RunWriter, index: int) -> None:
        self._rule = rule
        self._shape = shape
        self._writer = writer
        self._piece = Piece(index, f"range {index} of regrouped groups")
        self._splits = np.array([shape.splits.index(run.split) for run in runs], np.int64)  # by run
        self._features = _features_to_count(shape)
        self._num_spilled = 0
        self._num_excluded = 0
        self._excluded_bytes = np.zeros(len(shape.splits), np.int64)
        self._runs: list[Run] = []
        self._tally = Tally()

    def add(self, groups: Groups, hashes: IO[bytes], reader: RunReader, chunk_bytes: int) -> None:
        """Takes the next groups."""
        self._exclude(groups, hashes)
        is_kept = self._rule.is_kept_in_part(groups.sizes)
        if is_kept.any():
            splits = self._splits[groups.segments["run"].to_numpy()]
            starts = first_positions(groups, splits)
            for found in read_groups(groups, is_kept, reader, chunk_bytes):
                self._spill(groups, found, starts[found.segments] + found.places, splits[found.segments])

    def result(self, path: str, low: int, high: int | None) -> RegroupedRange:
        """What became of the range, once all its groups were added."""
        self._runs += self._writer.flush()
        excluded_bytes = dict(zip(self._shape.splits, self._excluded_bytes.tolist(), strict=True))
        return RegroupedRange(low, high, path, self._num_excluded, excluded_bytes, tuple(self._runs), self._tally)

    def _exclude(self, groups: Groups, hashes: IO[bytes]) -> None:
        """Counts the groups that the rule changes, and writes down their hashes."""
        rule, sizes, segments = self._rule, groups.sizes, groups.segments
        is_small, is_large = rule.is_small(sizes), rule.is_large(sizes)
        stays = ~is_small & (~is_large | (rule.too_large == "cap"))
        rule.refuse_merged_id(groups.ids.filter(pa.array(stays)))
        is_excluded = is_small | is_large
        words = np.empty(int(is_excluded.sum()), HASH_WORDS)
        for name in ("first", "last"):
            words[name] = segments[f"hash_{name}"].to_numpy()[groups.first[is_excluded]]
        hashes.write(words.tobytes())
        self._num_excluded += len(words)
        of_excluded = is_excluded[groups.of_segments]
        splits = self._splits[segments["run"].to_numpy()[of_excluded]]
        np.add.at(self._excluded_bytes, splits, segments["length_bytes"].to_numpy()[of_excluded])
        done = Tally(dropped=rule.dropped(sizes), regrouped=rule.regrouped(sizes))
        self._tally = total([self._tally, done])

    def _spill(self, groups: Groups, found: Records, positions: np.ndarray, splits: np.ndarray) -> None:
        """Spills records again that stay, each in its new group."""
        numbers = groups.of_segments[found.segments]
        low, high = int(numbers[0]), int(numbers[-1]) + 1
        ids = groups.ids.slice(low, high - low).to_pylist()
        placed = self._rule.place(Examples(ids, groups.sizes[low:high], numbers - low, positions, splits))
        if not len(placed.codes):
            return
        records = found.records.filter(pa.array(placed.kept))
        batch = Batch(
            piece=self._piece,
            first_row=self._num_spilled,
            rows=np.arange(self._num_spilled, self._num_spilled + len(records)),
            columns=decode_examples(records, self._features),
            records=records,
            group_ids=pa.DictionaryArray.from_arrays(integers(placed.codes), pa.array(placed.ids, pa.binary())),
            tally=Tally(),
            splits=splits[placed.kept] if len(self._shape.splits) > 1 else None,
        )
        self._num_spilled += len(records)
        self._runs += self._writer.add(batch)


def first_positions(groups: Groups, splits: np.ndarray) -> np.ndarray:
    """int64[num_segments]: the position in its group of the first example of each segment.

    The examples of the first split come first, then those of the next: how examples of two splits follow each other
    depends on where runs end, and so on memory.

    Args:
        splits: int64[num_segments].
    """
    order = np.lexsort((splits, groups.of_segments))
    before = np.cumsum(groups.counts[order]) - groups.counts[order]
    starts = np.empty_like(before)
    starts[order] = before - before[groups.first][groups.of_segments]  # a group has the same segments in either order
    return starts


def _features_to_count(shape: Shape) -> dict[str, Feature]:
    """What words and labels are counted in; text as it is stored, be it valid or not, and be it there or not."""
    names = sorted(shape.text_features | ({shape.label_feature} if shape.label_feature else set()))
    changes = {"optional": True}
    found = {name: shape.features[name].model_copy(update=changes) for name in names}
    return {name: f.model_copy(update={"dtype": "bytes"}) if f.dtype == "string" else f for name, f in found.items()}
