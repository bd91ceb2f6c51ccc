"""The index in memory and as a copy in the cache: the same answers."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import groupstream
from groupstream import Feature, Split
from groupstream import index as index_module
from groupstream.group_rows import NUMBERS
from groupstream.index import GroupIndex, open_index

IDS = [b"g%d" % i for i in range(300)] + [b"", b"\xff\x00", "ż".encode()]


@pytest.fixture
def split(make_version: Callable[..., Path]) -> Split:
    examples = [{"n": i} for i in range(3 * len(IDS))]
    root = make_version(examples, IDS * 3, {"n": Feature(dtype="int64")}, num_shards=3, seed=5)
    return groupstream.open("made", str(root))["train"]


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every index gets a copy; gives the folder of the copies."""
    monkeypatch.setenv("GROUPSTREAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(index_module, "IN_MEMORY_GROUPS", 0)
    return tmp_path / "cache" / "indexes"


def assert_is_the_table(index: GroupIndex, split: Split) -> None:
    table = split.group_table()
    numbers = np.random.default_rng(0).permutation(len(index))
    rows = index.rows(numbers)
    assert rows.group_ids == [table["group_id"][i].as_py() for i in numbers]
    for name in NUMBERS:
        assert getattr(rows, name).tolist() == table[name].to_numpy()[numbers].tolist()
        assert index.column(name).tolist() == table[name].to_pylist()
    assert index.find(table["group_id"].to_pylist()).tolist() == list(range(len(index)))
    assert index.find([b"nobody", IDS[0], b"\xff"]).tolist()[::2] == [-1, -1]


def test_the_index_in_memory_is_the_table(split: Split) -> None:
    assert_is_the_table(split.index, split)


def test_the_copy_is_the_table_and_is_made_once(split: Split, copies: Path) -> None:
    assert_is_the_table(open_index(split.index_file, split.seed), split)
    [folder] = copies.iterdir()
    before = folder.stat().st_ino
    assert_is_the_table(open_index(split.index_file, split.seed), split)
    assert [f.stat().st_ino for f in copies.iterdir()] == [before]


def test_a_damaged_copy_is_made_anew(split: Split, copies: Path) -> None:
    open_index(split.index_file, split.seed)
    [folder] = copies.iterdir()
    for path in sorted(folder.iterdir()):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        assert_is_the_table(open_index(split.index_file, split.seed), split)
    (folder / "ids.bin").unlink()
    assert_is_the_table(open_index(split.index_file, split.seed), split)
    assert len(list(copies.iterdir())) == 1


def _open(split: Split, cache: str) -> list[int]:
    os.environ["GROUPSTREAM_CACHE"] = cache
    index_module.IN_MEMORY_GROUPS = 0
    return open_index(split.index_file, split.seed).find(IDS).tolist()


def test_processes_make_one_copy_between_them(split: Split, copies: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        found = pool.starmap(_open, [(split, str(copies.parent))] * 8)
    assert all(f == split.index.find(IDS).tolist() for f in found)
    assert len(list(copies.iterdir())) == 1


def test_without_a_cache_to_write_to_the_index_is_held_in_memory(split: Split, copies: Path) -> None:
    copies.parent.write_text("not a folder")
    assert_is_the_table(open_index(split.index_file, split.seed), split)


@settings(max_examples=30)
@given(st.lists(st.sampled_from(IDS) | st.binary(max_size=4), max_size=20))
def test_ids_are_found_where_they_are(ids: list[bytes]) -> None:
    from groupstream.group_order import hash_group_ids, hash_words

    known = IDS[::2]
    high, low = hash_words(hash_group_ids(known, 1))
    order = np.lexsort((low, high))
    ordered = [known[i] for i in order]
    columns = {"hash_high": high[order], "hash_low": low[order], "id_end": np.cumsum([len(i) for i in ordered])}
    index = GroupIndex(columns, np.frombuffer(b"".join(ordered), np.uint8), 1)
    assert index.find(ids).tolist() == [ordered.index(i) if i in ordered else -1 for i in ids]


def test_ids_whose_hashes_begin_alike_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    from groupstream.group_order import hash_group_ids, hash_words

    ids = sorted(IDS[:50], key=lambda i: int(hash_words(hash_group_ids([i], 1))[1][0]))
    low = hash_words(hash_group_ids(ids, 1))[1]
    columns = {"hash_high": np.zeros(50, np.uint64), "hash_low": low, "id_end": np.cumsum([len(i) for i in ids])}
    index = GroupIndex(columns, np.frombuffer(b"".join(ids), np.uint8), 1)
    real = index_module.hash_group_ids

    def same_beginning(group_ids: list[bytes], seed: int) -> np.ndarray:
        hashes = real(group_ids, seed).copy()
        hashes[:, :8] = 0
        return hashes

    monkeypatch.setattr(index_module, "hash_group_ids", same_beginning)
    assert index.find(ids[::-1]).tolist() == list(range(50))[::-1]
    assert index.find([b"other"]).tolist() == [-1]


def test_threads_read_the_table_at_the_same_time(
    make_version: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("groupstream.group_table.ROW_GROUP_ROWS", 50)
    ids = [b"%d" % i for i in range(5000)]
    root = make_version([{"n": 0}] * 5000, ids, {"n": Feature(dtype="int64")})
    file = groupstream.open("made", root)["train"].index_file
    expected = file.read()["group_id"].to_pylist()

    def read(_: int) -> list[bytes]:
        return [i for batch in file.batches() for i in batch.column("group_id").to_pylist()]

    with ThreadPoolExecutor(8) as threads:
        assert all(found == expected for found in threads.map(read, range(24)))
