"""Spill and merge: whatever the memory, the batches and the shards, the same bytes; nothing lost, nothing doubled."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from groupstream import CorruptError
from groupstream.binary import byte_lengths
from groupstream.examples.decoding import decode_examples
from groupstream.features import GROUP_ID, Feature
from groupstream.group_order import hash_group_ids, hash_words, shard_of
from groupstream.tfrecord import unframe
from pipelines.batches import Batch
from pipelines.merge import MergedShard, merge_shard, num_shards_for
from pipelines.runs import Run, RunWriter

SEED = 3


def spill(folder: Path, batches: list[Batch], features, memory_bytes: int) -> list[Run]:
    folder.mkdir()
    writer = RunWriter(folder, features, frozenset(["text"]), SEED, memory_bytes)
    runs = [writer.add(batch) for batch in batches]
    return [run for run in [*runs, writer.flush()] if run]


def build(folder: Path, batches: list[Batch], features, memory_bytes=1 << 30, num_shards=1, chunk_bytes=1 << 20):
    runs = spill(folder, batches, features, memory_bytes)
    return runs, [merge_shard(folder, runs, i, num_shards, chunk_bytes) for i in range(num_shards)]


def contents(shards: list[MergedShard]) -> list[bytes]:
    return [Path(s.path).read_bytes() for s in shards]


def test_every_example_is_in_exactly_one_group(tmp_path, make_batches, features):
    batches = make_batches()
    _, shards = build(tmp_path / "a", batches, features, memory_bytes=20_000, num_shards=4)
    found = []
    for shard in shards:
        records = unframe(Path(shard.path).read_bytes(), "shard")
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
    _, shards = build(tmp_path / "a", make_batches(), features, memory_bytes=20_000, num_shards=3)
    for shard in shards:
        records = unframe(Path(shard.path).read_bytes(), "shard")
        rows = decode_examples(records, {**features, GROUP_ID: Feature(dtype="bytes")}).to_pylist()
        groups = list(dict.fromkeys(row[GROUP_ID] for row in rows))
        first_words = hash_words(hash_group_ids(groups, SEED))[0]
        assert (np.diff(first_words.astype(object)) > 0).all()
        assert set(shard_of(first_words, 3)) == {shard.shard_index}
        keys = [(groups.index(row[GROUP_ID]), int(row["text"].split()[1]), row["number"]) for row in rows]
        assert keys == sorted(keys)


@pytest.mark.parametrize("memory_bytes", [1, 10_000, 50_000, 1 << 30])
@pytest.mark.parametrize("chunk_bytes", [1, 3_000, 1 << 20])
def test_bytes_do_not_depend_on_memory(tmp_path, make_batches, features, memory_bytes, chunk_bytes):
    _, plain = build(tmp_path / "plain", make_batches(), features, num_shards=3)
    _, other = build(tmp_path / "other", make_batches(), features, memory_bytes, 3, chunk_bytes)
    assert contents(plain) == contents(other)
    tables = [[pq.read_table(s.group_table_path) for s in shards] for shards in (plain, other)]
    assert tables[0] == tables[1]


def test_bytes_do_not_depend_on_the_order_of_pieces_or_the_size_of_batches(tmp_path, make_batches, features):
    _, plain = build(tmp_path / "plain", make_batches(), features, num_shards=2)
    batches = make_batches(batch_rows=17)
    shuffled = [batches[i] for i in np.random.default_rng(0).permutation(len(batches))]
    _, other = build(tmp_path / "other", shuffled, features, memory_bytes=30_000, num_shards=2)
    assert contents(plain) == contents(other)


def test_shards_together_do_not_depend_on_their_number(tmp_path, make_batches, features):
    one = b"".join(contents(build(tmp_path / "one", make_batches(), features, num_shards=1)[1]))
    many = b"".join(contents(build(tmp_path / "many", make_batches(), features, num_shards=7)[1]))
    assert one == many


def test_group_table_places_each_group(tmp_path, make_batches, features):
    _, shards = build(tmp_path / "a", make_batches(), features, memory_bytes=20_000, num_shards=2)
    for shard in shards:
        data = Path(shard.path).read_bytes()
        for row in pq.read_table(shard.group_table_path).to_pylist():
            records = unframe(data[row["offset_bytes"] :][: row["length_bytes"]], "group")
            decoded = decode_examples(records, {**features, GROUP_ID: Feature(dtype="bytes")}).to_pylist()
            assert {d[GROUP_ID] for d in decoded} == {row["group_id"]}
            assert row["num_examples"] == len(decoded)
            assert row["num_bytes"] == byte_lengths(records).sum()
            assert row["num_words"] == sum(len(d["text"].split()) for d in decoded)


def test_checksums_are_those_of_the_file(tmp_path, make_batches, features):
    _, (shard,) = build(tmp_path / "a", make_batches(), features, memory_bytes=20_000)
    data = Path(shard.path).read_bytes()
    assert (shard.size_bytes, shard.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def test_number_of_shards_depends_on_the_examples_only(tmp_path, make_batches, features):
    small = spill(tmp_path / "small", make_batches(), features, 10_000)
    large = spill(tmp_path / "large", make_batches(), features, 1 << 30)
    assert len(small) > 3 and len(large) == 1
    assert num_shards_for(small, 20_000) == num_shards_for(large, 20_000) > 1


def test_a_batch_whose_examples_were_all_dropped_still_counts(tmp_path, make_batches, features):
    (batch, *_) = make_batches()
    empty = batch.keep(np.zeros(len(batch.rows), bool), "some reason")
    (run,) = spill(tmp_path / "a", [empty], features, 1)
    assert (run.path, run.num_examples, run.tally.dropped["some reason"]) == (None, 0, len(batch.rows))
    assert merge_shard(tmp_path / "a", [run], 0, 1).num_examples == 0


def test_a_run_that_is_cut_short_is_refused(tmp_path, make_batches, features):
    (run,) = spill(tmp_path / "a", make_batches(), features, 1 << 30)
    path = Path(str(run.path))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CorruptError, match="cut short"):
        merge_shard(tmp_path / "a", [run], 0, 1)


def test_two_groups_with_one_hash_are_refused(tmp_path, make_batches, features, monkeypatch):
    same = np.zeros((1, 16), np.uint8)
    monkeypatch.setattr("pipelines.runs.hash_group_ids", lambda ids, seed: np.repeat(same, len(ids), 0))
    runs = spill(tmp_path / "a", make_batches(), features, 1 << 30)
    with pytest.raises(CorruptError, match="same hash"):
        merge_shard(tmp_path / "a", runs, 0, 1)
