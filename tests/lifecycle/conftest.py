"""Stores with published versions, in folders and in a bucket; a registry."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from groupstream import layout
from groupstream.manifest import Manifest, canonical_json
from groupstream.stores import LocalStore, Store, open_store
from groupstream.testing import GcsServer
from registry import Registry

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"

PutVersion = Callable[..., tuple[Manifest, bytes]]
Everything = Callable[[], dict[str, object]]


@pytest.fixture
def hostile() -> str:
    """Text that steers a terminal, and ends a row, a tag and a statement."""
    return "\x1b[31m'); DROP TABLE versions;--\r\n<script>alert(1)</script>\u202e\x00[bold]`\"|=1+1"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsServer]:
    """A server that the stores of this test talk to, with the bucket `bucket`."""
    with GcsServer("bucket", page_size=3) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        yield server


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.integration)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store."""
    if request.param == "folder":
        return LocalStore(tmp_path / "root")
    request.getfixturevalue("bucket")
    return open_store("gs://bucket/datasets")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """An empty registry."""
    opened = Registry(f"sqlite:///{tmp_path / 'registry.db'}")
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def _own_cache_and_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUPSTREAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GROUPSTREAM_USER", "tester")


@pytest.fixture
def put_version() -> PutVersion:
    """Puts a version into a store as far as a build gets before it announces it; its manifest, and the bytes of that.

    The files are those of the golden version `text@1.0.0`, so that it can be opened. Further arguments change the
    manifest; `claim` is added to the claim.
    """

    def put(store: Store, ref: str, claim: dict[str, Any] | None = None, **changes: Any) -> tuple[Manifest, bytes]:
        golden = GOLDEN / "text" / "1.0.0"
        name, _, version = ref.partition("@")
        fields = {"name": name, "version": version, "digest": hashlib.sha256(ref.encode()).hexdigest(), **changes}
        manifest = Manifest.from_json((golden / layout.MANIFEST).read_bytes(), "").model_copy(update=fields)
        folder, content = f"{name}/{version}", manifest.to_json()
        store.put_if_absent(f"{folder}/{layout.CLAIM}", canonical_json({"digest": manifest.digest, **(claim or {})}))
        for file in manifest.all_files():
            store.put_if_absent(f"{folder}/{file.path}", (golden / file.path).read_bytes())
        assert store.put_if_absent(f"{folder}/{layout.MANIFEST}", content)
        return manifest, content

    return put


@pytest.fixture
def everything(tmp_path: Path, bucket: GcsServer) -> Everything:
    """All that lies in the folder of the test, hidden things too, and in the bucket, by name."""

    def take() -> dict[str, object]:
        files = {str(path.relative_to(tmp_path)): path for path in tmp_path.rglob("*") if path.is_file()}
        contents = {name: path.read_bytes() for name, path in files.items()}
        return {**contents, **{f"gs://{name}": o.generation for name, o in bucket.buckets.of("bucket").items()}}

    return take
