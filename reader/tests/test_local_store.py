from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from groupstream import PublishError, StoreError, UsageError
from groupstream.layout import STAGING
from groupstream.stores import LocalStore


def files_under(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_what_may_not_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    store = LocalStore(tmp_path)
    for ask in (store.read, store.size_bytes, store.folders):
        with pytest.raises(StoreError, match=rf"^cannot read {tmp_path}/loop: .*\. Allow reading there, or choose"):
            ask("loop")
    with pytest.raises(UsageError, match="a file; a root is a folder"):
        LocalStore(__file__).folders("")
    assert LocalStore(tmp_path / "missing").folders("") == []


def test_an_object_is_written_once_and_stays(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    assert store.put_if_absent("a/b/c.txt", b"first")
    assert not store.put_if_absent("a/b/c.txt", b"second, longer")
    assert store.read("a/b/c.txt") == b"first"
    assert files_under(tmp_path) == {"a/b/c.txt"}
    assert not (tmp_path / "a/b/c.txt").stat().st_mode & 0o222


def test_a_file_is_put_as_its_bytes(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"content")
    store = LocalStore(tmp_path / "root")
    assert store.put_if_absent("x", source)
    source.unlink()
    assert store.read("x") == b"content"


def test_a_file_of_another_disk_is_copied(tmp_path: Path) -> None:
    shared_memory = Path("/dev/shm")
    if not shared_memory.is_dir() or shared_memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is one disk only")
    source = shared_memory / f"groupstream-test-{os.getpid()}"
    source.write_bytes(b"content")
    try:
        assert LocalStore(tmp_path).put_if_absent("x", source)
    finally:
        source.unlink()
    assert LocalStore(tmp_path).read("x") == b"content"


def test_ranges_are_read_and_end_with_the_object(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put_if_absent("x", b"0123456789")
    assert store.read("x", 3) == b"3456789"
    assert store.read("x", 3, 2) == b"34"
    assert store.read("x", 8, 100) == b"89"
    assert store.read("x", 100, 1) == b""
    assert store.read("x", 2, 0) == b""
    with pytest.raises(FileNotFoundError):
        store.read("y")


def test_sizes_and_folders(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    for path in ("b/1.0.0/x", "a/y", ".hidden/z", "top"):
        store.put_if_absent(path, b"12345")
    assert store.folders("") == ["a", "b"]
    assert store.folders("b") == ["1.0.0"]
    assert store.folders("missing") == store.folders("top") == []
    assert store.size_bytes("top") == 5
    assert store.size_bytes("missing") is store.size_bytes("top/below") is None


def test_a_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"kept")
    with pytest.raises(PublishError, match=r"cannot write .*file/a/b: .*publish\.root"):
        LocalStore(tmp_path / "file").put_if_absent("a/b", b"x")
    assert (tmp_path / "file").read_bytes() == b"kept"


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no /proc here")
def test_a_root_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(PublishError, match="cannot write /proc/groupstream/x"):
        LocalStore("/proc/groupstream").put_if_absent("x", b"x")


def test_a_source_that_is_missing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="No such file"):
        LocalStore(tmp_path).put_if_absent("a", tmp_path / "missing")
    assert files_under(tmp_path) == set()


def test_an_object_where_a_folder_should_be_is_refused(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put_if_absent("a", b"x")
    with pytest.raises(PublishError, match="cannot write"):
        store.put_if_absent("a/b", b"y")
    assert files_under(tmp_path) == {"a"}


FULL_DISK = """
import resource, sys
from groupstream import PublishError
from groupstream.stores import LocalStore
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    LocalStore(sys.argv[1]).put_if_absent("a/x", bytes(2000))
except PublishError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits to the size of a file")
def test_a_write_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL_DISK, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"cannot write {tmp_path}/a/x: File too large")
    assert files_under(tmp_path) == set()
    assert files_under(tmp_path / STAGING) == set()


def test_of_many_that_write_at_once_exactly_one_does(tmp_path: Path) -> None:
    objects, writers = 20, 4
    with multiprocessing.get_context("spawn").Pool(writers) as pool:
        arguments = [(str(tmp_path), writer, objects) for writer in range(writers)]
        won = pool.starmap(write_all, arguments)
    assert [sum(of_object) for of_object in zip(*won, strict=True)] == [1] * objects
    for index in range(objects):
        [winner] = [writer for writer in range(writers) if won[writer][index]]
        assert LocalStore(tmp_path).read(f"x/{index}") == bytes([winner]) * 100_000
    assert files_under(tmp_path / STAGING) == set()


def write_all(root: str, writer: int, objects: int) -> list[bool]:
    """In a process of its own."""
    store = LocalStore(root)
    return [store.put_if_absent(f"x/{index}", bytes([writer]) * 100_000) for index in range(objects)]
