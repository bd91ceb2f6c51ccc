"""A publisher whose process may die between any two of its requests. Also a program: then the process really dies.

python publishing.py ROOT BUILD RUN KIND AT CARRIED_OUT
"""

from __future__ import annotations

import functools
import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from groupstream import layout
from groupstream.catalog import describe_published, update_catalog
from groupstream.catalog.changes import add_version
from groupstream.commit import StagedObject, claim_version, claimed_by, commit_version, read_claim
from groupstream.errors import ConflictError
from groupstream.manifest import Manifest
from groupstream.stores import open_store

SOURCES = ("bytes", "files", "staged")
CONFLICT = 3  # the exit status of a process that was told that another one won
WAITS = 50  # so many times shorter than they are


@dataclass(frozen=True)
class Build:
    """What a build made, in a folder: all files of a version."""

    folder: Path

    @functools.cached_property
    def content(self) -> bytes:
        """Of the manifest."""
        return (self.folder / layout.MANIFEST).read_bytes()

    @functools.cached_property
    def manifest(self) -> Manifest:
        return Manifest.from_json(self.content, "")

    @functools.cached_property
    def files(self) -> dict[str, bytes]:
        """By path, without the manifest."""
        return {file.path: (self.folder / file.path).read_bytes() for file in self.manifest.all_files()}


class Killed(BaseException):
    """The process is gone: nothing catches it."""


class DyingStore:
    """A store of a process that dies at one of its operations.

    Args:
        at: the operation, from 1; 0 for never.
        carried_out: whether that operation is still carried out.
        die: ends the process.
    """

    def __init__(self, store: Any, at: int, carried_out: bool, die: Callable[[], None] | None = None) -> None:
        self._store = store
        self._at = at
        self._carried_out = carried_out
        self._die = die or self._raise
        self._count = itertools.count(1)
        self._is_dead = threading.Event()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        return functools.partial(self._operation, found, name) if callable(found) else found

    def _operation(self, call: Callable[..., Any], name: str, *arguments: Any, **options: Any) -> Any:
        if self._is_dead.is_set():
            raise Killed
        number = next(self._count)
        if number == self._at and not self._carried_out:
            self._die()
        result = call(*arguments, **options)
        if name == "objects":
            result = iter(list(result))
        if number == self._at:
            self._die()
        return result

    def _raise(self) -> None:
        self._is_dead.set()
        raise Killed


def publish(store: Any, build: Build, run: str, kind: str, aliases: tuple[str, ...] = ()) -> None:
    """As builds do it: claim, commit, announce. May be called again and again.

    Raises:
        ConflictError: another build has the number. It names the run.
    """
    manifest = build.manifest
    folder = f"{manifest.name}/{manifest.version}"
    about = {"run": run, "created_at": datetime.now(UTC).isoformat(), "aliases": list(aliases)}
    if not claim_version(store, folder, manifest.digest, about):
        raise ConflictError(f"{manifest.ref} belongs to {claimed_by(store, folder)}")
    commit_version(store, folder, manifest, _sources(store, build, run, kind), uploads=3)
    claim = read_claim(store, folder)
    published_at = datetime.fromisoformat(claim["created_at"])
    published = describe_published(manifest, build.content, published_at, claim["run"])
    update_catalog(store, manifest.name, lambda catalog: add_version(catalog, published, claim["aliases"], run))


def _sources(store: Any, build: Build, run: str, kind: str) -> dict[str, Any]:
    if kind == "bytes":
        return dict(build.files)
    if kind == "files":
        return {path: build.folder / path for path in build.files}
    staged = {path: f"{layout.STAGING}/{run}/{path}" for path in build.files}
    for path, place in staged.items():
        store.put_if_absent(place, build.files[path])
    return {path: StagedObject(place) for path, place in staged.items()}


def shorter_waits() -> Iterator[None]:
    """All pauses of this process are shorter by `WAITS`, while the generator lives."""
    sleep = time.sleep
    time.sleep = lambda seconds: sleep(seconds / WAITS if seconds > 0.02 else seconds)
    try:
        yield
    finally:
        time.sleep = sleep


def small_uploads() -> None:
    """Google's client sends small files, too, in uploads that can be gone on with."""
    from google.cloud.storage import blob

    blob._MAX_MULTIPART_SIZE = 2_000


def main() -> None:
    root, folder, run, kind, at, carried_out = sys.argv[1:]
    waits = shorter_waits()
    next(waits)
    if root.startswith("gs:"):
        small_uploads()
    store = DyingStore(
        open_store(root), int(at), carried_out == "1", functools.partial(os.kill, os.getpid(), signal.SIGKILL)
    )
    try:
        publish(store, Build(Path(folder)), run, kind)
    except ConflictError as error:
        print(error)
        sys.exit(CONFLICT)


if __name__ == "__main__":
    main()
