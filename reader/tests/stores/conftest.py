"""Places to store things, of every kind. The servers are real HTTP: what fails here fails as on a network."""

from __future__ import annotations

import gc
import logging
import os
import random
import sys
import warnings
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any

import google_crc32c
import pytest

from groupstream.stores import GcsStore, HttpStore, LocalStore, S3Store, Store, open_store
from groupstream.testing import FaultyServer, FolderServer, GcsServer, Proxy


class Place:
    """Somewhere to store things: a root, what stands behind it, and the variables that lead there."""

    def __init__(self, kind: str, root: str, server: FaultyServer | None, environment: dict[str, str]) -> None:
        self.kind = kind
        self.root = root
        self.server = server
        self.environment = environment
        self.folder: Path | None = None  # that a web server serves
        self._stores: dict[str, Store] = {}

    def store(self, root: str | None = None) -> Store:
        """As users get it, but for its patience. One for each root, as a client is slow to make."""
        root = root or self.root
        if root not in self._stores:
            store = open_store(root)
            if isinstance(store, GcsStore):
                store = GcsStore(store.root, retry_seconds=3)
            elif isinstance(store, S3Store | HttpStore):
                store = type(store)(store.root, attempts=3)
            self._stores[root] = store
        return self._stores[root]

    def write(self, path: str, content: bytes) -> None:
        """Puts an object there, also where the store itself only reads."""
        store = self.store() if self.folder is None else LocalStore(self.folder)
        assert store.put_if_absent(path, content)

    def close(self) -> None:
        """Google's client lets go of some failed answers unread: their sockets are closed here, with no warning."""
        self._stores.clear()
        if self.server:
            self.server.close()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """S3 is an integration: its server and its clients are slow to start."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec is not None and callspec.params.get("place") == "s3":
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    pytest.importorskip("boto3")
    summing = module_from_spec(ModuleSpec("crc32c", None))  # a library without which moto sums a plain CRC32
    summing.__dict__["crc32c"] = google_crc32c.value
    sys.modules.setdefault("crc32c", summing)
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture(scope="session")
def s3_client(moto_url: str) -> Any:
    """Makes the buckets, past the proxies of the tests."""
    session = pytest.importorskip("boto3").session.Session("key", "secret", region_name="us-east-1")
    return session.client("s3", endpoint_url=moto_url)


def _local(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    return Place("local", str(tmp_path / "root"), None, {})


def _gcs(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    pytest.importorskip("google.cloud.storage")
    server = GcsServer("bucket", page_size=3)
    return Place("gcs", "gs://bucket/some/prefix", server, {"STORAGE_EMULATOR_HOST": server.url})


def _s3(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    client = request.getfixturevalue("s3_client")
    server = Proxy(request.getfixturevalue("moto_url"))
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")
    environment = {"AWS_ENDPOINT_URL": server.url, **dict(zip(names, ("key", "secret", "us-east-1"), strict=True))}
    bucket = f"bucket-{random.Random(str(tmp_path)).getrandbits(64):x}"
    client.create_bucket(Bucket=bucket)
    return Place("s3", f"s3://{bucket}/some/prefix", server, environment)


def _http(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    pytest.importorskip("requests")
    server = FolderServer(tmp_path)
    place = Place("http", f"{server.url}/some/prefix", server, {})
    place.folder = tmp_path / "some" / "prefix"
    return place


_MAKERS = {"local": _local, "gcs": _gcs, "s3": _s3, "http": _http}


@pytest.fixture(params=list(_MAKERS))
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """One of each kind, empty; `parametrize("place", [...], indirect=True)` takes some kinds only."""
    place = _MAKERS[request.param](tmp_path, request)
    gc.freeze()  # so that the collection at the end passes over what other tests have loaded
    for name in list(os.environ):
        if name.startswith(("AWS_", "GOOGLE_", "STORAGE_")):
            monkeypatch.delenv(name)
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    yield place
    place.close()
    gc.unfreeze()
