"""What a pull sums: each block when it comes, and those of an earlier run when it goes on."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from groupstream import CorruptError
from groupstream.features import Feature
from groupstream.pulling.files import Pull
from groupstream.pulling.part_file import PartFile
from groupstream.pulling.version import plan_pull
from groupstream.refs import Location
from groupstream.stores import LocalStore
from groupstream.testing import WrappedStore

BLOCK_BYTES = 64 << 10


@pytest.fixture
def root(make_version: Any) -> Path:
    """Where there is made@1.0.0, of 3 MB."""
    draw = random.Random(1)
    examples = [{"data": draw.randbytes(60_000)} for _ in range(50)]
    return make_version(examples, [b"g%d" % (n % 5) for n in range(50)], {"data": Feature(dtype="bytes")})


def planned(root: Path, to: Path, change: Any = lambda path, offset, data: data) -> Pull:
    return plan_pull(Location(WrappedStore(LocalStore(root), change), "made/1.0.0"), to=to)


@pytest.fixture
def read_back(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The blocks that are read from parts."""
    read, pass_on = [], PartFile.read_block
    monkeypatch.setattr(PartFile, "read_block", lambda part, index: read.append(index) or pass_on(part, index))
    return read


def test_what_has_just_come_is_not_read_back(root: Path, tmp_path: Path, read_back: list[int]) -> None:
    planned(root, tmp_path / "to").run(block_bytes=BLOCK_BYTES)
    assert (tmp_path / "to/made/1.0.0/manifest.json").exists()
    assert read_back == []


@pytest.mark.parametrize("damaged", [False, True])
def test_what_an_earlier_run_left_is_read_back(root: Path, tmp_path: Path, read_back: list[int], damaged: bool) -> None:
    came: list[int] = []

    def break_off(path: str, offset: int, data: bytes) -> bytes:
        came.append(len(data))
        if len(came) > 20:
            raise KeyboardInterrupt
        return data

    with pytest.raises(KeyboardInterrupt):
        planned(root, tmp_path / "to", break_off).run(block_bytes=BLOCK_BYTES, connections=1)
    assert read_back == []
    staging = tmp_path / "to/.staging"
    begun = next(path for path in staging.rglob(f"*.{BLOCK_BYTES}.blocks") if path.read_bytes()[:1] == b"\1")
    part = begun.with_name(begun.name.replace(f"{BLOCK_BYTES}.blocks", "part"))
    if damaged:
        with open(part, "r+b") as file:
            file.write(b"!" * 10)
    again: list[int] = []
    go_on = planned(root, tmp_path / "to", lambda path, offset, data: again.append(len(data)) or data)
    missing_bytes, size = go_on.missing_bytes(BLOCK_BYTES), part.stat().st_size
    again.clear()
    go_on.run(block_bytes=BLOCK_BYTES)
    assert 0 < missing_bytes < go_on.size_bytes
    assert read_back
    assert sum(again) == missing_bytes + (size if damaged else 0)  # all of it anew


def test_other_bytes_are_refused_with_their_crc32c(root: Path, tmp_path: Path) -> None:
    def change(path: str, offset: int, data: bytes) -> bytes:
        return b"!" + data[1:] if path.endswith("tfrecord") and offset == BLOCK_BYTES else data

    with pytest.raises(
        CorruptError, match=r"tfrecord has crc32c .* where its manifest says .*; it was downloaded twice"
    ):
        planned(root, tmp_path / "to", change).run(block_bytes=BLOCK_BYTES)
