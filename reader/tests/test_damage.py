"""Damage is found by whoever reads: a flipped bit in a shard, an index or a manifest, a file that is cut or missing.

Not only by `verify`: all groups are read in stored order, and each by its id. Both must find it, wherever both look.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import groupstream
from groupstream import CorruptError, GroupstreamError
from groupstream.manifest import Manifest
from groupstream.tfrecord import OVERHEAD_BYTES, find_frames
from groupstream.verify import verify

NAMES = ["text", "tags", "digits"]
MAX_FLIPS = 400  # of a file; a smaller one is flipped at every byte


def folder_of(root: Path, name: str) -> Path:
    return root / name / "1.0.0"


def stored_files(root: Path, name: str, *patterns: str) -> list[Path]:
    return [path for pattern in patterns for path in sorted(folder_of(root, name).glob(pattern))]


def stream(root: Path, name: str) -> None:
    for split in groupstream.open(name, str(root)).values():
        for group in split:
            group.table()


def look_up_all(root: Path, name: str, ids: list[bytes]) -> None:
    train = groupstream.open(name, str(root))["train"]
    for group_id in ids:
        train.group(group_id).table()


def ids_in(root: Path, name: str) -> list[bytes]:
    return [group.id for group in groupstream.open(name, str(root))["train"]]


@contextmanager
def content_restored(path: Path) -> Iterator[bytes]:
    content = path.read_bytes()
    try:
        yield content
    finally:
        path.write_bytes(content)


def flips(path: Path, content: bytes, draw: random.Random) -> Iterator[int]:
    """Writes the file with one bit changed, again and again; gives where."""
    positions = range(len(content))
    for position in draw.sample(positions, MAX_FLIPS) if len(content) > MAX_FLIPS else positions:
        broken = bytearray(content)
        broken[position] ^= 1 << draw.randrange(8)
        path.write_bytes(broken)
        yield position


def assert_refused(read: Callable[[], object], path: Path, what: str, *, kind: type[Exception] = CorruptError) -> None:
    try:
        read()
    except kind as error:
        message = str(error)
        assert path.name in message and "\n" not in message, f"{what}: {message}"
    else:
        pytest.fail(f"{what} of {path.name} is read as if nothing were wrong")


@pytest.mark.parametrize("name", NAMES)
def test_a_bit_flipped_in_a_shard_is_found(golden_copy: Path, name: str) -> None:
    draw, ids = random.Random(name), ids_in(golden_copy, name)
    for path in stored_files(golden_copy, name, "*.tfrecord"):
        with content_restored(path) as content:
            for position in flips(path, content, draw):
                assert_refused(lambda: stream(golden_copy, name), path, f"byte {position}")
                if position % 8 == 0:
                    assert_refused(lambda: look_up_all(golden_copy, name, ids), path, f"byte {position}")
    stream(golden_copy, name)
    look_up_all(golden_copy, name, ids)


@pytest.mark.parametrize("name", NAMES)
def test_a_bit_flipped_in_an_index_or_a_manifest_is_found_before_anything_is_read(golden_copy: Path, name: str) -> None:
    draw, ids = random.Random(name), ids_in(golden_copy, name)
    for path in stored_files(golden_copy, name, "*.groups.parquet", "manifest.json"):
        with content_restored(path) as content:
            for position in flips(path, content, draw):
                assert_refused(lambda: stream(golden_copy, name), path, f"byte {position}")
                assert_refused(lambda: look_up_all(golden_copy, name, ids[:1]), path, f"byte {position}")
    stream(golden_copy, name)


@pytest.mark.parametrize("name", NAMES)
def test_a_bit_flipped_in_what_reading_never_looks_at_is_found_by_verify(golden_copy: Path, name: str) -> None:
    draw = random.Random(name)
    for path in stored_files(golden_copy, name, "features.json", "dataset_info.json", "report/*"):
        with content_restored(path) as content:
            for position in draw.sample(range(len(content)), 20):
                path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
                stream(golden_copy, name)
                assert_refused(lambda: verify(groupstream.open(name, str(golden_copy))), path, f"byte {position}")


@pytest.mark.parametrize("name", NAMES)
def test_a_shard_cut_at_a_frame_or_within_one_is_found(golden_copy: Path, name: str) -> None:
    ids = ids_in(golden_copy, name)
    for path in stored_files(golden_copy, name, "*.tfrecord"):
        with content_restored(path) as content:
            starts = (find_frames(content).starts - OVERHEAD_BYTES + 4).tolist()
            sizes = {start + more for start in starts for more in (0, 1, 11, 12, 13)}
            for size in sorted(sizes | {len(content) - 1}):
                path.write_bytes(content[:size])
                assert_refused(lambda: stream(golden_copy, name), path, f"the first {size} bytes")
                assert_refused(lambda: look_up_all(golden_copy, name, ids), path, f"the first {size} bytes")


@pytest.mark.parametrize("name", NAMES)
def test_an_index_or_a_manifest_cut_or_longer_is_found(golden_copy: Path, name: str) -> None:
    draw = random.Random(name)
    for path in stored_files(golden_copy, name, "*.groups.parquet", "manifest.json"):
        with content_restored(path) as content:
            sizes = [0, 1, len(content) - 1, *draw.sample(range(len(content)), 40)]
            for broken in [*(content[:size] for size in sizes), content + b"\n", content + b"\0", content * 2]:
                path.write_bytes(broken)
                assert_refused(lambda: stream(golden_copy, name), path, f"a copy of {len(broken)} bytes")


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_shard_or_index_is_found(golden_copy: Path, name: str) -> None:
    for path in stored_files(golden_copy, name, "*.tfrecord", "*.groups.parquet"):
        with content_restored(path) as content:
            path.unlink()
            if content:
                assert_refused(lambda: stream(golden_copy, name), path, "the absence")
            assert_refused(lambda: verify(groupstream.open(name, str(golden_copy))), path, "the absence")


def test_without_a_manifest_there_is_no_version(golden_copy: Path) -> None:
    path = folder_of(golden_copy, "text") / "manifest.json"
    path.unlink()
    for ref in ("text", "text@1.0.0", str(path.parent)):
        with pytest.raises(GroupstreamError) as caught:
            groupstream.open(ref, str(golden_copy))
        assert "\n" not in str(caught.value) and "text" in str(caught.value)


@pytest.mark.parametrize("is_signed", [True, False])
def test_a_manifest_of_a_newer_format_is_refused(golden_copy: Path, is_signed: bool) -> None:
    path = folder_of(golden_copy, "text") / "manifest.json"
    fields = json.loads(path.read_bytes())
    fields["format_version"] = 2
    path.write_bytes(
        Manifest.model_validate(fields).to_json() if is_signed else json.dumps(fields | {"new": {}}).encode()
    )
    with pytest.raises(CorruptError, match=r"manifest.json has format 2, this library reads up to 1; upgrade with: \S"):
        groupstream.open("text", str(golden_copy))
