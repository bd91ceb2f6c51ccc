"""Pulls in processes of their own: killed at every kind of moment, and several at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import groupstream
from groupstream.commit import UPLOADS
from groupstream.manifest import Manifest
from groupstream.pulling.files import FILES
from groupstream.pulling.groups import plan_groups
from groupstream.pulling.version import plan_pull
from groupstream.refs import Location
from groupstream.stores import LocalStore
from groupstream.testing import FolderServer, ReadLog, Reply, WrappedStore
from groupstream.verify import verify

BLOCK = 4096
UNDER_WAY = FILES * BLOCK  # may have been read, and not written, when the process was killed

# Dies by SIGKILL when a thing happens for that time. The things are Python's audit events, such as os.rename, and ours:
# "read" before the bytes of a block arrive, "block" after a block was noted.
PULL = """
import os, signal, sys, threading, time
from pathlib import Path
from groupstream.pulling.version import plan_pull
from groupstream.pulling.groups import plan_groups
from groupstream.refs import Location
from groupstream.stores import LocalStore
from groupstream.testing import FolderServer, ReadLog, Reply, WrappedStore

root, to, log, event, number, connections, what, gate = sys.argv[1:]
counted, lock = 0, threading.Lock()

def happens(name, arguments=()):
    global counted
    if name == event:
        with lock:
            counted += 1
            if counted == int(number):
                os.kill(os.getpid(), signal.SIGKILL)

def change(path, offset, data):
    if not path.endswith("manifest.json"):
        time.sleep(0.003)
        happens("read")
    return ReadLog(Path(log)).note(path, offset, data)

location = Location(WrappedStore(LocalStore(root), change), "wide/1.0.0")
if what == "groups":
    planned, options = plan_groups(location, [b"g%d" % n for n in range(20)], None, to), {}
else:
    planned, options = plan_pull(location, None, to), {"block_bytes": 4096}
(Path(gate) / str(os.getpid())).touch()
while not (Path(gate) / "open").exists():
    time.sleep(0.001)
sys.addaudithook(happens)
planned.run(lambda count: happens("block"), connections=int(connections), **options)
"""


class Puller:
    """Starts pulls of wide@1.0.0 of one root into one folder, with one log of what they read."""

    def __init__(self, root: Path, folder: Path, what: str = "files") -> None:
        self.root = root
        self.to = folder / "to"
        self.log = ReadLog(folder / "log")
        self.log_file = folder / "log"
        self.what = what
        self.gate = folder / "gate"
        self.gate.mkdir()

    def start(self, event: str = "never", number: int = 0, connections: int = 1) -> subprocess.Popen[bytes]:
        """Starts one, which waits at the gate."""
        arguments = [self.root, self.to, self.log_file, event, number, connections, self.what, self.gate]
        return subprocess.Popen([sys.executable, "-c", PULL, *map(str, arguments)], stderr=subprocess.PIPE)

    def run(self, event: str = "never", number: int = 0, connections: int = 1) -> None:
        """Runs one to its end, which is the kill if one was asked for."""
        process = self.start(event, number, connections)
        self.open_gate(process)
        _, errors = process.communicate()
        assert process.returncode == (0 if event == "never" else -signal.SIGKILL), errors.decode()

    def open_gate(self, *processes: subprocess.Popen[bytes]) -> None:
        """Lets them go on once all are there, so that they are at work at the same time."""
        while len(list(self.gate.iterdir())) < len(processes) and all(p.poll() is None for p in processes):
            time.sleep(0.001)
        (self.gate / "open").touch()

    def finish(self) -> None:
        """Runs one to its end in this process, which is faster."""
        location = Location(WrappedStore(LocalStore(self.root), self.log.note), "wide/1.0.0")
        if self.what == "groups":
            plan_groups(location, [b"g%d" % n for n in range(20)], None, self.to).run()
        else:
            plan_pull(location, None, self.to).run(block_bytes=BLOCK)

    @property
    def missing_bytes(self) -> int:
        """What the next pull has to read."""
        return plan_pull(Location(LocalStore(self.root), "wide/1.0.0"), None, self.to).missing_bytes(BLOCK)

    @property
    def size_bytes(self) -> int:
        return plan_pull(Location(LocalStore(self.root), "wide/1.0.0"), None, self.to).size_bytes

    def assert_nothing_broken(self) -> bool:
        """Files with final names are whole. Whether it is a version already."""
        folder, source = self.to / "wide" / "1.0.0", self.root / "wide" / "1.0.0"
        names = [str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and p.name != "claim.json"]
        for name in names:
            assert (folder / name).read_bytes() == (source / name).read_bytes()
        if "manifest.json" not in names:
            return False
        manifest = Manifest.from_json((folder / "manifest.json").read_bytes(), "here")
        assert sorted(names) == sorted(["manifest.json", *(file.path for file in manifest.all_files())])
        return True

    def assert_done(self) -> None:
        assert self.assert_nothing_broken()
        self.assert_swept()
        assert verify(groupstream.open("wide", str(self.to))) == 360

    def assert_swept(self) -> None:
        """Nothing is left in the staging area but the file of a put that was killed; that goes after a day."""
        assert sorted(p.name for p in self.to.iterdir()) == [".staging", "wide"]
        left = [p.name[:4] for p in (self.to / ".staging").iterdir()]
        assert left == ["put-"] * len(left)
        assert len(left) <= UPLOADS


@pytest.fixture
def puller(two_splits: Path, tmp_path: Path) -> Puller:
    return Puller(two_splits, tmp_path)


class Held(FolderServer):
    """Answers shards only when it is told to."""

    def __init__(self, folder: Path) -> None:
        self.asked, self.go_on = threading.Event(), threading.Event()
        super().__init__(folder)

    def reply(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        if path.endswith(".tfrecord"):
            self.asked.set()
            self.go_on.wait(60)
        return super().reply(method, path, headers, body)


def test_ctrl_c_is_one_line_and_the_same_command_goes_on(two_splits: Path, cache: Path) -> None:
    pytest.importorskip("requests")
    main = (  # whoever runs the tests in the background hands down a SIGINT that is ignored
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from groupstream.cli import main; sys.argv[0] = 'groupstream'; main()"
    )
    with Held(two_splits) as server:
        command = [sys.executable, "-c", main, "pull", f"{server.url}/wide/1.0.0"]
        pulling = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert server.asked.wait(60)
        pulling.send_signal(signal.SIGINT)
        time.sleep(0.5)  # it comes before the answers do
        server.go_on.set()
        out, said = pulling.communicate(timeout=60)
        assert (pulling.returncode, out) == (130, "")
        assert said == "interrupted: the same command goes on; no file is there that is not whole\n"
        assert not list(cache.rglob("manifest.json"))
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "bytes came now and were checked" in done.stdout


SLOW = pytest.mark.integration
MOMENTS = [
    pytest.param(*("os.truncate", 1), marks=SLOW),  # a part was made, the journal is being made
    pytest.param(*("read", 1), marks=SLOW),
    ("read", 7),
    pytest.param(*("block", 1), marks=SLOW),
    ("block", 12),
    pytest.param(*("block", 30), marks=SLOW),
    ("os.chmod", 2),  # the first file was checked
    ("os.rename", 1),  # and gets its final name
    pytest.param(*("os.rename", 4), marks=SLOW),
    pytest.param(*("os.rename", 9), marks=SLOW),  # the last file
    pytest.param(*("os.link", 1), marks=SLOW),  # the claim
    ("os.link", 2),  # the manifest
    ("os.rmdir", 1),  # all is there, the staging area is swept
]


@pytest.mark.parametrize(("event", "number"), MOMENTS)
def test_a_killed_pull_goes_on_where_it_was(puller: Puller, event: str, number: int) -> None:
    puller.run(event, number)
    assert puller.assert_nothing_broken() == (event == "os.rmdir")
    came, missing = puller.log.num_bytes(), puller.missing_bytes
    assert came <= puller.size_bytes
    assert 0 <= came + missing - puller.size_bytes <= UNDER_WAY
    puller.finish()
    assert puller.log.num_bytes() == came + missing, "what is there is not read again"
    puller.assert_done()


@SLOW
def test_a_pull_that_is_killed_again_and_again_arrives(puller: Puller) -> None:
    size, kills = puller.size_bytes, 0
    while puller.log.num_bytes() < size:
        puller.run("block", 11)
        puller.assert_nothing_broken()
        kills += 1
        if size - puller.log.num_bytes() < 11 * BLOCK:
            break
    assert kills >= 2
    came, missing = puller.log.num_bytes(), puller.missing_bytes
    puller.finish()
    assert puller.log.num_bytes() == came + missing, "what is there is not read again"
    assert came + missing - size <= kills * UNDER_WAY
    puller.assert_done()


@pytest.mark.parametrize(("event", "number"), [("read", 9), ("block", 9)])
def test_a_kill_loses_only_the_blocks_under_way(puller: Puller, event: str, number: int) -> None:
    puller.run(event, number, connections=4)
    puller.assert_nothing_broken()
    puller.finish()
    assert 0 <= puller.log.num_bytes() - puller.size_bytes <= 4 * BLOCK + UNDER_WAY
    puller.assert_done()


def test_several_processes_bring_each_byte_once(puller: Puller) -> None:
    processes = [puller.start(connections=2) for _ in range(3)]
    puller.open_gate(*processes)
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors.decode()
    assert puller.log.num_bytes() == puller.size_bytes
    puller.assert_done()


@SLOW
def test_who_waits_goes_on_for_one_that_is_killed(puller: Puller) -> None:
    dies, lives = puller.start("block", 10), puller.start()
    puller.open_gate(dies, lives)
    for process in (dies, lives):
        process.communicate()
    assert lives.returncode == 0
    assert dies.returncode in (0, -signal.SIGKILL)  # 0 where the other was done before its tenth block
    assert puller.log.num_bytes() <= puller.size_bytes + BLOCK
    puller.assert_done()


MOMENTS_OF_GROUPS = [
    ("read", 1),
    ("os.link", 4),  # among the files
    pytest.param("block", 3, marks=SLOW),
    pytest.param("os.link", 1, marks=SLOW),
    pytest.param("os.link", 10, marks=SLOW),  # the manifest
]


@pytest.mark.parametrize(("event", "number"), MOMENTS_OF_GROUPS)
def test_killed_groups_leave_nothing_broken(two_splits: Path, tmp_path: Path, event: str, number: int) -> None:
    puller = Puller(two_splits, tmp_path, "groups")
    puller.run(event, number)
    assert not (puller.to / "wide" / "1.0.0" / "manifest.json").exists()
    puller.finish()
    puller.assert_swept()
    assert verify(groupstream.open("wide", str(puller.to))) == 200


def test_several_processes_bring_groups_once(two_splits: Path, tmp_path: Path) -> None:
    puller = Puller(two_splits, tmp_path, "groups")
    (tmp_path / "alone").mkdir()
    alone = Puller(two_splits, tmp_path / "alone", "groups")
    alone.run()
    processes = [puller.start() for _ in range(3)]
    puller.open_gate(*processes)
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors.decode()
    assert puller.log.num_bytes("tfrecord") == alone.log.num_bytes("tfrecord")
    assert verify(groupstream.open("wide", str(puller.to))) == 200


@pytest.fixture(autouse=True)
def _own_cache(cache: Path) -> None:
    assert os.environ["GROUPSTREAM_CACHE"] == str(cache)
