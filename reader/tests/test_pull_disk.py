"""Disks that are full, and folders that may not be written: one line, and nothing under a final name."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from groupstream import PublishError
from groupstream.pulling.files import Pull
from groupstream.pulling.groups import GroupsPull, plan_groups
from groupstream.pulling.version import plan_pull
from groupstream.refs import Location
from groupstream.stores import LocalStore

LIMITED = """
import resource, sys
from groupstream.pulling.version import plan_pull
from groupstream.refs import Location
from groupstream.stores import LocalStore
root, to, limit = sys.argv[1:]
planned = plan_pull(Location(LocalStore(root), "wide/1.0.0"), None, to)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    planned.run(block_bytes=4096)
except Exception as error:
    print(type(error).__name__, error)
"""


def plans(root: Path, to: Path) -> list[Pull | GroupsPull]:
    location = Location(LocalStore(root), "wide/1.0.0")
    return [plan_pull(location, to=to), plan_groups(location, ["g1", "g2"], to=to)]


def nothing_final(to: Path) -> bool:
    return not [p for p in to.rglob("*") if p.is_file() and ".staging" not in str(p) and p.name != "claim.json"]


@pytest.mark.parametrize("which", [0, 1])
def test_room_is_looked_for_before_anything_is_read(two_splits: Path, tmp_path: Path, which: int) -> None:
    planned = plans(two_splits, tmp_path / "to")[which]
    message = rf"wide@1.0.0 needs {planned.size_bytes:,} bytes in {tmp_path}/to, 7 are free there. Make room, .* --to"
    asked: list[Path] = []

    def free_bytes(folder: Path) -> int:
        asked.append(folder)
        return 7

    with pytest.raises(PublishError, match=message):
        planned.run(free_bytes=free_bytes)
    assert asked == [tmp_path]
    assert not (tmp_path / "to").exists()
    planned.run(free_bytes=lambda folder: planned.size_bytes)


def test_room_that_a_part_has_is_not_asked_for_again(two_splits: Path, tmp_path: Path) -> None:
    [planned, _] = plans(two_splits, tmp_path / "to")
    first = planned.files[1]
    part = planned.staging / f"{first.path}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(first.size_bytes))
    with pytest.raises(PublishError, match=rf"needs {planned.size_bytes - first.size_bytes:,} bytes"):
        planned.run(free_bytes=lambda folder: 7)


def test_a_disk_that_refuses_a_file_is_one_line(two_splits: Path, tmp_path: Path) -> None:
    limit = max(p.stat().st_size for p in (two_splits / "wide" / "1.0.0").iterdir()) - 1
    command = [sys.executable, "-c", LIMITED, str(two_splits), str(tmp_path / "to"), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == (
        f"PublishError cannot write to {tmp_path}/to: File too large. Make room or allow writing there, or choose "
        "another folder with --to or $GROUPSTREAM_CACHE; what was pulled so far is kept\n"
    )
    assert not done.stderr
    assert not (tmp_path / "to" / "wide" / "1.0.0" / "manifest.json").exists()
    plans(two_splits, tmp_path / "to")[0].run()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB, where we may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("may not mount a disk here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_fills_is_found_before_a_file_comes(two_splits: Path, small_disk: Path) -> None:
    [planned, _] = plans(two_splits, small_disk)
    with pytest.raises(PublishError, match=r"needs [\d,]+ bytes in .*, [\d,]+ are free there"):
        planned.run()
    with pytest.raises(PublishError, match=rf"cannot write to {small_disk}: No space left on device. Make room"):
        planned.run(free_bytes=lambda folder: 1 << 60)
    assert not (planned.folder / "manifest.json").exists()
    source = two_splits / "wide" / "1.0.0"
    for path in planned.folder.glob("*.*"):
        assert path.name == "claim.json" or path.read_bytes() == (source / path.name).read_bytes()


@pytest.mark.parametrize("which", [0, 1])
def test_a_full_disk_keeps_nothing_half(two_splits: Path, small_disk: Path, which: int) -> None:
    (small_disk / "ballast").write_bytes(bytes(60_000))
    with pytest.raises(PublishError, match="No space left on device"):
        plans(two_splits, small_disk)[which].run(free_bytes=lambda folder: 1 << 60)
    (small_disk / "ballast").unlink()
    assert nothing_final(small_disk)


def read_only_disk(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)


def test_a_read_only_disk_is_one_line(two_splits: Path, small_disk: Path) -> None:
    read_only_disk(small_disk)
    for planned in plans(two_splits, small_disk):
        with pytest.raises(PublishError, match=rf"cannot write to {small_disk}: Read-only file system. Make room or"):
            planned.run(free_bytes=lambda folder: 1 << 60)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("which", [0, 1])
def test_a_folder_that_may_not_be_written_is_one_line(two_splits: Path, tmp_path: Path, which: int) -> None:
    (tmp_path / "to").mkdir(mode=0o555)
    with pytest.raises(PublishError, match=rf"cannot write to {tmp_path}/to: Permission denied. Make room or"):
        plans(two_splits, tmp_path / "to")[which].run()


@pytest.mark.parametrize("which", [0, 1])
def test_a_folder_that_is_a_file_is_one_line(two_splits: Path, tmp_path: Path, which: int) -> None:
    (tmp_path / "to").write_text("not a folder")
    with pytest.raises(PublishError, match=rf"cannot write to {tmp_path}/to: (Not a directory|File exists). Make room"):
        plans(two_splits, tmp_path / "to")[which].run()


@pytest.fixture(autouse=True)
def _own_cache(cache: Path) -> None:
    assert not cache.exists()
