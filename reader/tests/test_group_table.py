"""The index, up to several row groups of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import groupstream
from groupstream import Feature
from groupstream.group_order import hash_group_ids, hash_words
from groupstream.group_table import ROW_GROUP_ROWS, SCHEMA, statistics_of, write_group_table

NUM_GROUPS = 200_000
NUMBER = {"n": Feature(dtype="int64")}


def table_of(ids: Sequence[bytes], seed: int = 0) -> pa.Table:
    """A group table of groups of one empty example each."""
    hashes = hash_group_ids(ids, seed)
    order = np.lexsort(hash_words(hashes)[::-1])
    numbers = np.arange(len(ids))
    columns = dict.fromkeys(SCHEMA.names, numbers) | {
        "group_id": [ids[i] for i in order],
        "group_hash": [hashes[i].tobytes() for i in order],
        "shard_index": np.zeros(len(ids), np.int32),
    }
    return pa.table([pa.array(columns[field.name], field.type) for field in SCHEMA], schema=SCHEMA)


@pytest.mark.parametrize("rows", [0, 1, ROW_GROUP_ROWS - 1, ROW_GROUP_ROWS, ROW_GROUP_ROWS + 1, 2 * ROW_GROUP_ROWS])
def test_the_bytes_do_not_depend_on_the_parts(tmp_path: Path, rows: int) -> None:
    table = table_of([b"%d" % i for i in range(rows)])
    cuts = np.sort(np.random.default_rng(rows).integers(0, rows + 1, 5))
    parts = [table.slice(a, b - a) for a, b in zip([0, *cuts], [*cuts, rows], strict=True)]
    for name, given in (("one", [table]), ("many", parts)):
        write_group_table(tmp_path / name, given)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "many").read_bytes()
    file = pq.ParquetFile(tmp_path / "one")
    assert file.read().equals(table)
    sizes = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
    assert sizes == [min(ROW_GROUP_ROWS, rows - start) for start in range(0, rows, ROW_GROUP_ROWS)]


def test_no_parts_make_an_empty_table(tmp_path: Path) -> None:
    write_group_table(tmp_path / "x", [])
    assert pq.read_table(tmp_path / "x").equals(SCHEMA.empty_table())


@pytest.mark.parametrize("num_groups", [ROW_GROUP_ROWS, NUM_GROUPS])
def test_every_group_of_a_large_index_is_found(make_version: Any, num_groups: int) -> None:
    ids = [b"group-%d" % i for i in range(num_groups)]
    root = make_version([{"n": n} for n in range(num_groups)], ids, NUMBER, num_shards=3, seed=11)
    train = groupstream.open("made", str(root))["train"]
    hashes = hash_group_ids(ids, 11)
    ends_in_zero = np.flatnonzero(hashes[:, -1] == 0)  # NumPy drops a zero at the end of a byte string
    order = np.lexsort(hash_words(hashes)[::-1])
    row_group_edges = order[[0, ROW_GROUP_ROWS - 1, ROW_GROUP_ROWS % num_groups, -1]]
    drawn = np.random.default_rng(0).integers(0, num_groups, 40)
    for i in [*ends_in_zero[:20], *row_group_edges, *drawn]:
        group = train.group(ids[i])
        assert group.id == ids[i]
        assert list(group.examples()) == [{"n": i}]
    for i in range(40):
        assert b"no-group-%d" % i not in train


def test_streaming_a_large_index_gives_every_group_once(make_version: Any) -> None:
    ids = [b"%d" % i for i in range(3 * ROW_GROUP_ROWS + 5)]
    root = make_version([{"n": 0}] * len(ids), ids, NUMBER)
    train = groupstream.open("made", str(root))["train"]
    streamed = [group.id for group in train]
    assert sorted(streamed) == sorted(ids)
    assert streamed == train.group_table()["group_id"].to_pylist()


def test_the_statistics_are_those_of_the_table() -> None:
    table = table_of([b"%d" % i for i in range(11)])
    statistics = statistics_of(table)
    assert statistics.model_dump() == {
        "num_groups": 11,
        "num_examples": 55,
        "num_bytes": 55,
        "num_words": 55,
        "group_sizes": {"p10": 1, "p50": 5, "p90": 9, "max": 10},
    }


def test_the_statistics_of_nothing_are_zero() -> None:
    statistics = statistics_of(SCHEMA.empty_table())
    assert (statistics.num_groups, statistics.num_examples, dict(statistics.group_sizes)["max"]) == (0, 0, 0)
