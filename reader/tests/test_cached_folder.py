from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from groupstream.cached_folder import CHECKSUMS, has_sizes, is_whole, make_cached_folder

SLOW = """
import sys, time
from pathlib import Path
from groupstream.cached_folder import make_cached_folder

def make(folder):
    with open(sys.argv[2], "a") as log:
        log.write("made\\n")
    (folder / "a").write_bytes(b"first")
    print("begun", flush=True)
    time.sleep(float(sys.argv[3]))
    (folder / "b").write_bytes(b"second")

make_cached_folder(Path(sys.argv[1]), make)
"""


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def make(folder: Path) -> None:
    (folder / "a").write_bytes(b"first")
    (folder / "b").write_bytes(b"second")


def refuse(folder: Path) -> None:
    raise AssertionError("it is there already")


def started(folder: Path, log: Path, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SLOW, str(folder), str(log), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def wait_until_begun(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"


def test_it_is_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "down"
    make_cached_folder(folder, make)
    make_cached_folder(folder, refuse)
    assert is_whole(folder)
    assert names_in(folder) == ["a", "b", CHECKSUMS]
    assert names_in(folder.parent) == ["down"]


@pytest.mark.parametrize("content", [b"firsT", b"firs", b""])
def test_what_was_changed_is_made_anew(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "x"
    make_cached_folder(folder, make)
    (folder / "a").write_bytes(content)
    assert has_sizes(folder) == (len(content) == 5)
    assert not is_whole(folder)
    make_cached_folder(folder, make)
    assert (folder / "a").read_bytes() == b"first"
    assert is_whole(folder)


@pytest.mark.parametrize(
    "checksums", ["", "[]", "{}", "[1]", '{"a": 1}', '{"a": {"crc32c": 1}}', '{"gone": {"size_bytes": 1}}']
)
def test_checksums_that_are_none_are_not_believed(tmp_path: Path, checksums: str) -> None:
    folder = tmp_path / "x"
    make_cached_folder(folder, make)
    (folder / CHECKSUMS).write_text(checksums)
    assert not has_sizes(folder)
    assert not is_whole(folder)


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "a").write_bytes(b"first")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        make_cached_folder(tmp_path / "x", fail)
    assert names_in(tmp_path) == []
    make_cached_folder(tmp_path / "x", make)
    assert names_in(tmp_path) == ["x"]


def test_a_kill_leaves_nothing_under_the_final_name(tmp_path: Path) -> None:
    with started(tmp_path / "x", tmp_path / "log", 60) as process:
        wait_until_begun(process)
        process.send_signal(signal.SIGKILL)
    assert (tmp_path / ".x.making" / "a").exists()
    (tmp_path / ".x.making" / "c").write_text("of an older program")
    assert not (tmp_path / "x").exists()
    make_cached_folder(tmp_path / "x", make)
    assert names_in(tmp_path) == ["log", "x"]
    assert names_in(tmp_path / "x") == ["a", "b", CHECKSUMS]


def test_of_two_processes_one_makes_it(tmp_path: Path) -> None:
    with started(tmp_path / "x", tmp_path / "log", 1) as first:
        wait_until_begun(first)
        with started(tmp_path / "x", tmp_path / "log", 0) as second:
            pass
    assert (first.returncode, second.returncode) == (0, 0)
    assert (tmp_path / "log").read_text() == "made\n"
    assert is_whole(tmp_path / "x")
    assert names_in(tmp_path) == ["log", "x"]
