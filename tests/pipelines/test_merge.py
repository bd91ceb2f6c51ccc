"""Spill and merge: whatever the memory, the batches and the shards, the same bytes; nothing lost, nothing doubled."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections import Counter
from pathlib import Path

import google_crc32c
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from groupstream import CorruptError
from groupstream.binary import byte_lengths
from groupstream.examples.decoding import decode_examples
from groupstream.features import GROUP_ID, Feature
from groupstream.group_order import hash_group_ids, hash_words, shard_of
from groupstream.stores import LocalStore
from groupstream.tfrecord import unframe
from pipelines.batches import Batch
from pipelines.memory import MemoryBudget, share_memory
from pipelines.merge import MergedShard, merge_shard, num_shards_for
from pipelines.run_file import Run
from pipelines.runs import RunWriter, Shape
from pipelines.staging import StagingArea
from tests.extent import ALL

SEED = 3


def staging_in(folder: Path) -> StagingArea:
    folder.mkdir(exist_ok=True)
    return StagingArea(LocalStore(folder), folder)


def spill(folder: Path, batches: list[Batch], features, memory_bytes: int, label: str | None = None) -> list[Run]:
    shape = Shape(features, frozenset(["text"]), ("train", "test"), label, SEED)
    writer = RunWriter(staging_in(folder), shape, memory_bytes)
    return [run for batch in batches for run in writer.add(batch)] + writer.flush()


def merge(folder: Path, runs: list[Run], num_shards=1, chunk_bytes=1 << 20, segments=1 << 20, split="train"):
    budget = MemoryBudget(1, chunk_bytes, segments)
    return [merge_shard(staging_in(folder), runs, split, i, num_shards, budget) for i in range(num_shards)]


def build(
    folder: Path, batches: list[Batch], features, memory_bytes=1 << 24, num_shards=1, chunk_bytes=1 << 20, **others
) -> tuple[list[Run], list[MergedShard]]:
    runs = spill(folder, batches, features, memory_bytes, others.pop("label", None))
    return runs, merge(folder, runs, num_shards, chunk_bytes, **others)


def contents(folder: Path, shards: list[MergedShard]) -> list[bytes]:
    return [(folder / s.path).read_bytes() for s in shards]


def tables(folder: Path, shards: list[MergedShard]) -> list[pa.Table]:
    return [pq.read_table(folder / path) for s in shards for path in (s.group_table_path, s.label_table_path)]


def test_every_example_is_in_exactly_one_group(tmp_path, make_batches, features):
    batches = make_batches()
    _, shards = build(tmp_path / "a", batches, features, memory_bytes=100_000, num_shards=4)
    found = []
    for shard in shards:
        records = unframe((tmp_path / "a" / shard.path).read_bytes(), "shard")
        decoded = decode_examples(records, {**features, GROUP_ID: Feature(dtype="bytes")})
        found += [(row[GROUP_ID], row["text"], row["number"]) for row in decoded.to_pylist()]
        assert shard.num_examples == len(records)
    expected = [
        (group, text, number)
        for b in batches
        for group, text, number in zip(
            b.group_ids.to_pylist(), *map(pa.Array.to_pylist, b.columns.columns), strict=True
        )
    ]
    assert sorted(found) == sorted(expected)


def test_groups_stand_in_the_order_of_their_hashes_and_examples_in_source_order(tmp_path, make_batches, features):
    _, shards = build(tmp_path / "a", make_batches(), features, memory_bytes=100_000, num_shards=3)
    for shard in shards:
        records = unframe((tmp_path / "a" / shard.path).read_bytes(), "shard")
        rows = decode_examples(records, {**features, GROUP_ID: Feature(dtype="bytes")}).to_pylist()
        groups = list(dict.fromkeys(row[GROUP_ID] for row in rows))
        first_words = hash_words(hash_group_ids(groups, SEED))[0]
        assert (np.diff(first_words.astype(object)) > 0).all()
        assert set(shard_of(first_words, 3)) == {shard.shard_index}
        keys = [(groups.index(row[GROUP_ID]), int(row["text"].split()[1]), row["number"]) for row in rows]
        assert keys == sorted(keys)


MEMORIES, CHUNKS, BLOCKS = (1, 100_000, 1 << 24), (1, 3_000, 1 << 20), (1, 7, 1 << 10)


@pytest.mark.parametrize(  # a Latin square: each size with each other one once
    ("memory_bytes", "chunk_bytes", "block_segments"),
    [
        (MEMORIES[i], CHUNKS[j], BLOCKS[k])
        for i, j, k in itertools.product(range(3), repeat=3)
        if ALL or (i + j + k) % 3 == 1
    ],
)
def test_bytes_do_not_depend_on_memory(
    tmp_path, make_batches, features, memory_bytes, chunk_bytes, block_segments, monkeypatch
):
    plain, other = tmp_path / "plain", tmp_path / "other"
    _, expected = build(plain, make_batches(), features, num_shards=3, label="number")
    monkeypatch.setattr("pipelines.run_file.BLOCK_SEGMENTS", block_segments)
    monkeypatch.setattr("pipelines.segments.BLOCK_SEGMENTS", block_segments)
    _, found = build(other, make_batches(), features, memory_bytes, 3, chunk_bytes, segments=1, label="number")
    assert contents(plain, expected) == contents(other, found)
    assert tables(plain, expected) == tables(other, found)


def test_long_group_ids_and_many_labels_count_as_memory(tmp_path, make_batches, features):
    batches = make_batches()
    long = [
        dataclasses.replace(b, group_ids=pa.array([group + b"x" * 5_000 for group in b.group_ids.to_pylist()]))
        for b in batches
    ]
    assert len(spill(tmp_path / "short", batches, features, 500_000)) == 1
    assert len(spill(tmp_path / "long", long, features, 500_000)) > 2
    assert len(spill(tmp_path / "labels", batches, features, 500_000, label="text")) == 2


def test_a_run_holds_no_more_group_ids_than_arrow_can(tmp_path):
    assert share_memory(256 << 30, 1).payload_bytes == 4 << 30


def test_a_group_of_many_segments_is_one_row(tmp_path, make_batches, features, monkeypatch):
    monkeypatch.setattr("pipelines.run_file.BLOCK_SEGMENTS", 2)
    monkeypatch.setattr("pipelines.segments.BLOCK_SEGMENTS", 2)
    batches = make_batches(num_groups=1)
    runs, (shard,) = build(tmp_path / "a", batches, features, memory_bytes=1, segments=1)
    (row,) = pq.read_table(tmp_path / "a" / shard.group_table_path).to_pylist()
    assert len(runs) == len(batches) and row["num_examples"] == sum(len(b.rows) for b in batches) == shard.num_examples


def test_splits_are_merged_apart(tmp_path, make_batches, features):
    folder, batches = tmp_path / "a", make_batches()
    held_out = [dataclasses.replace(b, splits=(b.rows % 3 == 0).astype(np.int64)) for b in batches]
    runs, train = build(folder, held_out, features, memory_bytes=100_000, num_shards=2)
    test = merge(folder, runs, split="test")
    kept = [batch.keep(batch.rows % 3 != 0, "reason") for batch in batches]
    _, alone = build(tmp_path / "alone", kept, features, num_shards=2)
    assert contents(folder, train) == contents(tmp_path / "alone", alone)
    assert sum(s.num_examples for s in [*train, *test]) == sum(len(b.rows) for b in batches)
    assert sum(run.tally.examples_in for run in runs) == sum(len(b.rows) for b in batches)


def test_labels_of_each_group_are_counted(tmp_path, make_batches, features):
    batches = make_batches()
    batches = [
        dataclasses.replace(
            b, columns=b.columns.set_column(1, "number", pa.array([None if r % 10 == 9 else r % 10 for r in b.rows]))
        )
        for b in batches
    ]
    _, shards = build(tmp_path / "a", batches, features, memory_bytes=100_000, num_shards=2, label="number")
    expected = Counter(
        (group, str(label).encode())
        for b in batches
        for group, label in zip(b.group_ids.to_pylist(), b.columns["number"].to_pylist(), strict=True)
        if label is not None
    )
    found = Counter()
    for shard in shards:
        groups = pq.read_table(tmp_path / "a" / shard.group_table_path)["group_id"].to_pylist()
        rows = pq.read_table(tmp_path / "a" / shard.label_table_path).to_pylist()
        assert [(r["group_row"], r["label"]) for r in rows] == sorted((r["group_row"], r["label"]) for r in rows)
        found.update({(groups[r["group_row"]], r["label"]): r["num_examples"] for r in rows})
    assert found == expected


def test_bytes_do_not_depend_on_the_order_of_pieces_or_the_size_of_batches(tmp_path, make_batches, features):
    _, plain = build(tmp_path / "plain", make_batches(), features, num_shards=2)
    batches = make_batches(batch_rows=17)
    shuffled = [batches[i] for i in np.random.default_rng(0).permutation(len(batches))]
    _, other = build(tmp_path / "other", shuffled, features, memory_bytes=100_000, num_shards=2)
    assert contents(tmp_path / "plain", plain) == contents(tmp_path / "other", other)


def test_shards_together_do_not_depend_on_their_number(tmp_path, make_batches, features):
    one, many = (
        contents(tmp_path / str(n), build(tmp_path / str(n), make_batches(), features, num_shards=n)[1]) for n in (1, 7)
    )
    assert b"".join(one) == b"".join(many)


def test_group_table_places_each_group(tmp_path, make_batches, features):
    _, shards = build(tmp_path / "a", make_batches(), features, memory_bytes=100_000, num_shards=2)
    for shard in shards:
        data = (tmp_path / "a" / shard.path).read_bytes()
        for row in pq.read_table(tmp_path / "a" / shard.group_table_path).to_pylist():
            records = unframe(data[row["offset_bytes"] :][: row["length_bytes"]], "group")
            decoded = decode_examples(records, {**features, GROUP_ID: Feature(dtype="bytes")}).to_pylist()
            assert {d[GROUP_ID] for d in decoded} == {row["group_id"]}
            assert row["num_examples"] == len(decoded)
            assert row["num_bytes"] == byte_lengths(records).sum()
            assert row["num_words"] == sum(len(d["text"].split()) for d in decoded)


def test_checksums_are_those_of_the_file(tmp_path, make_batches, features):
    _, (shard,) = build(tmp_path / "a", make_batches(), features, memory_bytes=100_000)
    data = (tmp_path / "a" / shard.path).read_bytes()
    assert (shard.size_bytes, shard.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert shard.crc32c == google_crc32c.Checksum(data).hexdigest().decode()


def test_number_of_shards_depends_on_the_examples_only(tmp_path, make_batches, features):
    small = spill(tmp_path / "small", make_batches(), features, 100_000)
    large = spill(tmp_path / "large", make_batches(), features, 1 << 24)
    assert len(small) > 3 and len(large) == 1
    assert num_shards_for(small, 20_000) == num_shards_for(large, 20_000) > 1


def test_a_batch_whose_examples_were_all_dropped_still_counts(tmp_path, make_batches, features):
    (batch, *_) = make_batches()
    empty = batch.keep(np.zeros(len(batch.rows), bool), "some reason")
    (run,) = spill(tmp_path / "a", [empty], features, 1)
    assert (run.path, run.num_examples, run.tally.dropped["some reason"]) == (None, 0, len(batch.rows))
    assert merge(tmp_path / "a", [run])[0].num_examples == 0


def test_a_run_that_is_cut_short_is_refused(tmp_path, make_batches, features):
    (run,) = spill(tmp_path / "a", make_batches(), features, 1 << 24)
    path = tmp_path / "a" / str(run.path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CorruptError, match="cut short"):
        merge(tmp_path / "a", [run])
    assert not list((tmp_path / "a" / "shards").iterdir())


def test_two_groups_with_one_hash_are_refused(tmp_path, make_batches, features, monkeypatch):
    same = np.zeros((1, 16), np.uint8)
    monkeypatch.setattr("pipelines.runs.hash_group_ids", lambda ids, seed: np.repeat(same, len(ids), 0))
    runs = spill(tmp_path / "a", make_batches(), features, 1 << 24)
    with pytest.raises(CorruptError, match="same hash"):
        merge(tmp_path / "a", runs)
