"""Chunks that threads read ahead: in order, at the same time, and after an error."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from groupstream import CorruptError, Dataset, Manifest, Split, StoreError, layout
from groupstream import chunk as chunk_module
from groupstream.refs import Location
from groupstream.stores import LocalStore
from groupstream.testing import WrappedStore


def ids_of(groups: Any) -> list[bytes]:
    return [group.id for group in groups]


def test_a_stream_that_is_left_leaves_no_thread(split: Split, ahead: int) -> None:
    for stream in (split.shuffle(1), split.stream()):
        for group in stream.prefetch(3):
            list(group.batches())
            break
    ours = [thread for thread in threading.enumerate() if thread.name.startswith("groupstream")]
    gc.collect()
    for thread in ours:
        thread.join(timeout=10)
    assert not any(thread.is_alive() for thread in ours)


def test_an_error_in_a_thread_ahead_comes_where_the_group_is_read(split: Split, ahead: int, tmp_path: Path) -> None:
    names = ids_of(split)
    place = split.group_table().to_pylist()[12]
    path = tmp_path / "made" / "1.0.0" / split.info.shards[place["shard_index"]].path
    content = bytearray(path.read_bytes())
    content[place["offset_bytes"] + 20] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    read_whole: list[bytes] = []

    def read_all() -> None:
        for group in split.stream().prefetch(ahead):
            list(group.examples())
            read_whole.append(group.id)

    with pytest.raises(CorruptError, match=rf"byte {place['offset_bytes']}: the CRC of the data of the record at \+0"):
        read_all()
    assert read_whole == names[: len(read_whole)]
    assert 12 - 4 <= len(read_whole) <= 12


def test_chunks_hold_the_groups_in_order(split: Split, ahead: int) -> None:
    found = []
    for chunk in split.shuffle(5).prefetch(ahead).chunks():
        blocks = list(chunk.blocks())
        assert sum(b.num_rows for b in blocks) == chunk.bounds[-1] == chunk.rows.num_examples.sum()
        assert chunk.is_large or [blocks[0]] == [chunk.examples]
        found += chunk.rows.group_ids
    assert found == ids_of(split.shuffle(5))


def test_a_chunk_that_is_kept_can_be_read_after_the_stream_is_left(split: Split, ahead: int) -> None:
    for stream in (split.stream(), split.shuffle(1)):
        chunk = next(stream.prefetch(ahead).chunks())
        assert sum(block.num_rows for block in chunk.blocks()) == chunk.bounds[-1]


def read_through(split: Split, note: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> Split:
    """The same split in chunks without large groups; `note` is called for what other threads read of a shard."""
    monkeypatch.setattr(chunk_module, "CHUNK_BYTES", 2500)

    def noted(path: str, offset: int, data: bytes) -> bytes:
        if path.endswith(".tfrecord") and threading.current_thread() is not threading.main_thread():
            note()
        return data

    root, name, version = split.location.rsplit("/", 2)
    location = Location(WrappedStore(LocalStore(root), noted), f"{name}/{version}")
    content = location.store.read(f"{location.folder}/{layout.MANIFEST}")
    return Dataset(location, Manifest.from_json(content, ""))[split.name]


def test_chunks_ahead_are_read_at_the_same_time(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(2, timeout=20)
    chunks = read_through(split, together.wait, monkeypatch).prefetch(2).chunks()
    assert next(chunks).examples.num_rows  # in this thread; the next two begin
    assert next(chunks).examples.num_rows
    together.abort()


def test_after_an_error_ahead_a_chunk_can_be_read_again(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise StoreError("the network is down")

    chunks = read_through(split, fail, monkeypatch).prefetch(1).chunks()
    assert next(chunks).examples.num_rows
    second = next(chunks)
    with pytest.raises(StoreError, match="the network is down"):
        _ = second.examples
    assert second.examples.num_rows == second.bounds[-1]
