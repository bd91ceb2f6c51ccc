from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from groupstream.pulling.part_file import PartFile, bytes_allocated, bytes_there, locked_part, sweep_part

SIZE, BLOCK = 25, 10


@contextlib.contextmanager
def opened(path: Path, size: int = SIZE, block: int = BLOCK) -> Iterator[PartFile]:
    with locked_part(path) as handle:
        assert handle is not None
        with contextlib.closing(PartFile(path, size, block, handle)) as part:
            yield part


def test_blocks_come_in_any_order_and_over_several_runs(tmp_path: Path) -> None:
    path = tmp_path / "inner" / "file"
    with opened(path) as part:
        assert part.missing_blocks() == [0, 1, 2]
        assert [part.block(i) for i in range(part.num_blocks)] == [(0, 10), (10, 10), (20, 5)]
        part.write_block(2, b"cdefg")
    assert bytes_there(path, SIZE, BLOCK) == 5
    with opened(path) as part:
        assert part.missing_blocks() == [0, 1]
        part.write_block(0, b"0123456789")
        assert bytes_there(path, SIZE, BLOCK) == 15
        part.write_block(1, b"..........")
        assert [part.read_block(i) for i in range(3)] == [b"0123456789", b"..........", b"cdefg"]
        assert bytes_there(path, SIZE, BLOCK) == SIZE
        part.finish(tmp_path / "final" / "file")
    assert (tmp_path / "final" / "file").read_bytes() == b"0123456789..........cdefg"
    assert (tmp_path / "final" / "file").stat().st_mode & 0o777 == 0o444
    assert not list((tmp_path / "inner").iterdir())


def test_a_part_takes_its_room_at_once(tmp_path: Path) -> None:
    with opened(tmp_path / "file", 1 << 20):
        assert bytes_allocated(tmp_path / "file") >= 1 << 20
        assert (tmp_path / "file.part").stat().st_size == 1 << 20
    assert bytes_allocated(tmp_path / "other") == 0


def test_an_empty_file_has_no_blocks(tmp_path: Path) -> None:
    with opened(tmp_path / "file", 0) as part:
        assert part.num_blocks == 0
        assert part.missing_blocks() == []
        part.finish(tmp_path / "final")
    assert (tmp_path / "final").read_bytes() == b""


@pytest.mark.parametrize("change", ["longer", "gone", "other blocks"])
def test_a_journal_of_another_part_is_not_believed(tmp_path: Path, change: str) -> None:
    path = tmp_path / "file"
    with opened(path) as part:
        part.write_block(0, b"0123456789")
    if change == "gone":
        (tmp_path / "file.part").unlink()
    size, block = (SIZE + 1 if change == "longer" else SIZE), (5 if change == "other blocks" else BLOCK)
    assert bytes_there(path, size, block) == 0
    with opened(path, size, block) as part:
        assert part.missing_blocks() == list(range(part.num_blocks))


def test_one_at_a_time_has_a_part(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with locked_part(path) as first:
        assert first is not None
        with locked_part(path) as second:
            assert second is None
    with locked_part(path) as third:
        assert third is not None


RACE = """
import os, sys
from pathlib import Path
from groupstream.pulling.part_file import locked_part

path = Path(sys.argv[1])
part = Path(f"{path}.part")
rivals = [part.unlink]

def just_before_the_lock(event, arguments):
    if event == "fcntl.flock" and rivals:
        rivals.pop()()

sys.addaudithook(just_before_the_lock)
with locked_part(path) as handle:
    assert os.path.samestat(os.fstat(handle), part.stat())
assert not rivals
"""


def test_a_part_that_is_finished_just_before_it_is_locked_is_made_anew(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", RACE, str(tmp_path / "file")], check=True)


def test_a_lock_is_on_the_file_that_has_the_name(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with locked_part(path) as old:
        assert old is not None
        (tmp_path / "file.part").unlink()
        with locked_part(path) as new:
            assert new is not None
            assert os.fstat(new).st_ino == (tmp_path / "file.part").stat().st_ino


def test_parts_are_discarded_and_swept_without_their_neighbours(tmp_path: Path) -> None:
    for name in ("a", "a[1]", "ab"):
        with opened(tmp_path / name) as part:
            part.write_block(1, b"..........")
    sweep_part(tmp_path / "a[1]")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.10.blocks", "a.part", "ab.10.blocks", "ab.part"]
    with opened(tmp_path / "a") as part:
        part.discard()
    sweep_part(tmp_path / "nothing")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ab.10.blocks", "ab.part"]
