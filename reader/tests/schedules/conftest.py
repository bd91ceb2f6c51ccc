"""Schedules: everything that happens to some publishers, drawn from one number."""

from __future__ import annotations

import gc
import importlib.util
import itertools
import logging
import os
import random
import re
import subprocess
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import google_crc32c
import pytest

from groupstream.catalog import read_catalog, update_catalog
from groupstream.catalog.changes import remove_alias, set_alias, set_deleted, set_deprecated
from groupstream.errors import ConflictError, GroupstreamError, RefNotFoundError, UsageError
from groupstream.features import Feature
from groupstream.stores import GcsStore, LocalStore, S3Store
from groupstream.testing import KINDS, GcsServer, Proxy

HERE = Path(__file__).parent
MAX_OPERATIONS = 40  # of a publisher, about: kills are drawn from the first so many
TALLY: Counter[str] = Counter()  # of all that was played: what happened
MAX_TRIES = 60  # of a publisher, until it must be through


def _loaded(name: str) -> ModuleType:
    """A module of this folder: tests cannot import one another."""
    spec = importlib.util.spec_from_file_location(f"schedules_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


publishing, watching = _loaded("publishing"), _loaded("watching")


@dataclass
class Ground:
    """Where a schedule is played: a root, what stands behind it, and the store that looks on."""

    kind: str
    root: str
    store: Any
    faults: Any = None
    open: Callable[[], Any] = field(default=lambda: None)


@dataclass
class Publisher:
    """One that publishes a build, and begins again whenever it dies or fails, until it is through."""

    ground: Ground
    build: Any
    name: str
    kind: str  # of its sources
    kills: list[tuple[int, bool]]
    in_process: bool = False
    runs: list[str] = field(default_factory=list)
    lost_to: str | None = None  # what the one that lost was told
    num_kills: int = 0
    failure: str | None = None

    def work(self) -> None:
        """Until it is through."""
        try:
            for attempt in range(MAX_TRIES):
                at, carried_out = self.kills[attempt] if attempt < len(self.kills) else (0, False)
                self.runs.append(f"{self.name}-{attempt}")
                if self._is_through(at, carried_out):
                    return
            self.failure = f"{self.name} is not through after {MAX_TRIES} tries"
        except BaseException as error:
            self.failure = f"{self.name}: {type(error).__name__}: {error}"

    def _is_through(self, at: int, carried_out: bool) -> bool:
        if self.in_process:
            return self._process(at, carried_out)
        store = publishing.DyingStore(self.ground.store, at, carried_out)
        try:
            publishing.publish(store, self.build, self.runs[-1], self.kind)
        except publishing.Killed:
            self.num_kills += 1
            return False
        except ConflictError as error:
            self.lost_to = str(error)
        except GroupstreamError:
            return False
        return True

    def _process(self, at: int, carried_out: bool) -> bool:
        arguments = [self.ground.root, self.build.folder, self.runs[-1], self.kind, at, int(carried_out)]
        command = [sys.executable, str(HERE / "publishing.py"), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == publishing.CONFLICT:
            self.lost_to = done.stdout
        self.num_kills += done.returncode < 0
        if done.returncode > 0 and "groupstream.errors" not in done.stderr and not self.lost_to:
            raise AssertionError(done.stderr)
        return done.returncode in (0, publishing.CONFLICT)


class Curator(threading.Thread):
    """Moves aliases meanwhile, deprecates versions, and deletes them in the catalog, as its dice fall."""

    def __init__(self, store: Any, name: str, seed: int, may_delete: bool) -> None:
        super().__init__(daemon=True)
        self.failure: str | None = None
        self._store, self._name, self._may_delete = store, name, may_delete
        self._random = random.Random(seed)
        self._stopped = threading.Event()

    def stop(self) -> str | None:
        self._stopped.set()
        self.join()
        return self.failure

    def run(self) -> None:
        while not self._stopped.wait(self._random.uniform(0, 0.05)):
            try:
                self._change()
            except (UsageError, RefNotFoundError, GroupstreamError) as error:
                if not isinstance(error, UsageError | RefNotFoundError) and "cannot" not in str(error):
                    self.failure = f"curator: {error}"
            except BaseException as error:
                self.failure = f"curator: {type(error).__name__}: {error}"
                return

    def _change(self) -> None:
        catalog = read_catalog(self._store, self._name)
        if catalog is None or not catalog.readable():
            return
        version, now = self._random.choice(catalog.readable()), datetime.now(UTC)
        alias = self._random.choice(["stable", "candidate"])
        what = self._random.choice(["set", "set", "remove", "deprecate", "delete"])
        if what == "set":
            update_catalog(self._store, self._name, lambda c: set_alias(c, alias, version, now, "curator"))
        elif what == "remove":
            update_catalog(self._store, self._name, lambda c: remove_alias(c, alias, now, "curator"))
        elif what == "deprecate":
            message = self._random.choice(["old", None])
            update_catalog(self._store, self._name, lambda c: set_deprecated(c, version, message, now, "curator"))
        elif self._may_delete and len(catalog.readable()) > 1:
            update_catalog(self._store, self._name, lambda c: set_deleted(c, version, "unwanted", now, "curator"))


class Schedule:
    """All that is drawn from a seed: who publishes what, what dies when, what the network does."""

    def __init__(self, seed: int, ground: Ground, builds: list[Any], in_process: bool) -> None:
        draw = random.Random(f"{ground.kind} {seed} {in_process}")
        versions = draw.sample(sorted({build.manifest.version for build in builds}), draw.choice([1, 1, 2, 3]))
        self.builds = draw.choices([b for b in builds if b.manifest.version in versions], k=draw.randint(1, 3))
        self.ground, self.seed = ground, seed
        self.is_curated = draw.random() < 0.4 and not in_process
        self.may_delete = self.is_curated and draw.random() < 0.5
        self.num_readers = 1 if ground.kind == "s3" else draw.randint(1, 2)
        self.rate = draw.choice([0.0, 0.02, 0.05, 0.15])
        self.kinds = draw.sample(KINDS, draw.randint(1, len(KINDS)))
        if draw.random() < 0.25:  # uploads are few among the requests
            self.rate, self.kinds = 0.3, ["keep_part", "cut_upload"]
        self.publishers = [
            Publisher(
                ground,
                build,
                f"run{number}",
                draw.choice(publishing.SOURCES),
                [(draw.randint(1, MAX_OPERATIONS), draw.random() < 0.5) for _ in range(draw.randint(0, 4))],
                in_process,
            )
            for number, build in enumerate(self.builds)
        ]

    def play(self) -> None:
        """Lets it all happen, then looks whether everything is as it must be."""
        if self.ground.faults is not None:
            self.ground.faults.random(self.seed, self.rate, self.kinds)
        name = self.builds[0].manifest.name
        contents: dict[str, set[bytes]] = {}
        for build in self.builds:
            contents.setdefault(build.manifest.version, set()).add(build.content)
        readers = [watching.Reader(self.ground.store, name, contents, self.may_delete) for _ in range(self.num_readers)]
        curator = Curator(self.ground.store, name, self.seed, self.may_delete)
        threads = [threading.Thread(target=publisher.work, daemon=True) for publisher in self.publishers]
        watchers = [*readers, *([curator] if self.is_curated else [])]
        for thread in (*watchers, *threads):
            thread.start()
        for thread in threads:
            thread.join()
        wrong = [*(each for reader in readers for each in reader.stop())]
        if self.is_curated and (failure := curator.stop()):
            wrong.append(failure)
        if self.ground.faults is not None:
            self.ground.faults.calm()
        self._count(readers)
        self._assert_done(name, wrong + [publisher.failure for publisher in self.publishers if publisher.failure])

    def _count(self, readers: list[Any]) -> None:
        TALLY["schedules"] += 1
        TALLY["kills"] += sum(publisher.num_kills for publisher in self.publishers)
        TALLY["runs"] += sum(len(publisher.runs) for publisher in self.publishers)
        TALLY["losers"] += sum(publisher.lost_to is not None for publisher in self.publishers)
        TALLY["versions read"] += sum(reader.num_read for reader in readers)
        if self.ground.faults is not None:
            TALLY.update({f"fault {kind}": times for kind, times in self.ground.faults.hits.items()})
            self.ground.faults.hits.clear()

    def _assert_done(self, name: str, wrong: list[str]) -> None:
        assert not wrong, wrong
        catalog = read_catalog(self.ground.store, name)
        assert catalog is not None
        deleted = {each.version for each in catalog.versions if each.state == "deleted"}
        winners = watching.assert_settled(self.ground.store, name, self.builds, deleted)
        if not self.is_curated:
            assert set(catalog.aliases) == {"latest"}
            assert catalog.aliases["latest"] == catalog.versions[-1].version
        for publisher in self.publishers:
            version = publisher.build.manifest.version
            won = {run for each in self.publishers if each.build == winners[version] for run in each.runs}
            if publisher.build == winners[version]:
                assert publisher.lost_to is None or version in deleted, publisher.lost_to
            else:
                assert publisher.lost_to is not None, f"{publisher.name} was not told that it lost"
                assert any(run in publisher.lost_to for run in won) or version in deleted, publisher.lost_to


_BUILDS: list[Any] = []


@pytest.fixture
def builds(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Two builds of each of three versions of a dataset, of three shards each. Made once."""
    if not _BUILDS:
        make_version = request.getfixturevalue("make_version")
        features = {"n": Feature(dtype="int64"), "text": Feature(dtype="string")}
        for which, version in itertools.product((1, 2), ("1.0.0", "1.1.0", "2.0.0")):
            name = f"made-{which}"
            draw = random.Random(f"{which} {version}")
            examples = [{"n": n, "text": f"{draw.random()} " * draw.randint(0, 8)} for n in range(40)]
            root = make_version(
                examples,
                [b"g%d" % draw.randint(0, 9) for _ in examples],
                features,
                num_shards=3,
                name=name,
                version=version,
                digest=f"{which}{version}".ljust(64, "0"),
            )
            _BUILDS.append(_renamed(root / name / version, tmp_path_factory.mktemp("builds")))
    return _BUILDS


def _renamed(folder: Path, to: Path) -> Any:
    """The same as a build of the dataset `made`."""
    build = publishing.Build(folder)
    for path, content in build.files.items():
        (to / path).write_bytes(content)
    (to / "manifest.json").write_bytes(build.manifest.model_copy(update={"name": "made"}).to_json())
    return publishing.Build(to)


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[GcsServer]:
    pytest.importorskip("google.cloud.storage")
    with GcsServer(page_size=3, block_bytes=512) as server:
        yield server


@pytest.fixture(scope="session")
def s3_proxy() -> Iterator[Proxy]:
    """A proxy in front of moto, which has the bucket `bucket`."""
    boto3 = pytest.importorskip("boto3")
    summing = importlib.util.module_from_spec(ModuleSpec("crc32c", None))
    summing.__dict__["crc32c"] = google_crc32c.value  # of a library without which moto sums a plain CRC32
    sys.modules.setdefault("crc32c", summing)
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    client = boto3.session.Session("key", "secret", region_name="us-east-1").client("s3", endpoint_url=url)
    client.create_bucket(Bucket="bucket")
    with Proxy(url) as proxy:
        yield proxy
    client.close()
    server.stop()


@pytest.fixture
def ground(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    """An empty place of the kind that the test is parametrised with."""
    kind = request.param
    for name in list(os.environ):
        if name.startswith(("AWS_", "GOOGLE_", "STORAGE_")):
            monkeypatch.delenv(name)
    if kind == "local":
        yield Ground(kind, str(tmp_path / "root"), LocalStore(tmp_path / "root"))
        return
    own = re.sub(r"\W+", "-", request.node.name)  # the same each time: on it depends what its requests meet
    root = f"{'gs' if kind == 'gcs' else 's3'}://bucket/{own}"
    if kind == "gcs":
        server = request.getfixturevalue("gcs_server")
        server.buckets.add("bucket")
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        monkeypatch.setattr("google.cloud.storage.blob._MAX_MULTIPART_SIZE", 2_000)
        ground = Ground(kind, root, GcsStore(root), server.faults)
    else:
        server = request.getfixturevalue("s3_proxy")
        for name, value in (("ACCESS_KEY_ID", "key"), ("SECRET_ACCESS_KEY", "secret"), ("DEFAULT_REGION", "us-east-1")):
            monkeypatch.setenv(f"AWS_{name}", value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        ground = Ground(kind, root, S3Store(root), server.faults)
    gc.freeze()
    yield ground
    server.faults.calm()
    server.requests.clear()
    ground.store = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    gc.unfreeze()


@pytest.fixture
def short_waits() -> Iterator[None]:
    """The pauses before a request is repeated are shorter than they are."""
    yield from publishing.shorter_waits()


@pytest.fixture
def tally() -> Counter[str]:
    """What happened in all schedules that this process has played."""
    return TALLY


@pytest.fixture
def play(ground: Ground, builds: list[Any], short_waits: None) -> Callable[..., Schedule]:
    """Plays the schedule of a seed."""

    def played(seed: int, in_process: bool = False) -> Schedule:
        schedule = Schedule(seed, ground, builds, in_process)
        schedule.play()
        return schedule

    return played
