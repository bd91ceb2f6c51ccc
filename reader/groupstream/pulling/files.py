"""The files of a version, brought to a root on this machine, several at once."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from groupstream import layout
from groupstream.cache import MANIFEST_SHA256, public_name, refuse_other_manifest
from groupstream.commit import claim_version
from groupstream.disk import (
    explaining_errors,
    free_bytes_in,
    remove_if_empty,
    require_room,
    sweep_forgotten,
    sync_folder,
)
from groupstream.errors import ConflictError, CorruptError
from groupstream.manifest import Manifest, StoredFile
from groupstream.pulling.download import download_file
from groupstream.pulling.part_file import (
    LOOK_AGAIN_SECONDS,
    PartFile,
    bytes_allocated,
    bytes_there,
    locked_part,
    sweep_part,
)
from groupstream.refs import Location
from groupstream.stores import LocalStore

BLOCK_BYTES = 8 << 20  # what one range request asks for
CONNECTIONS = 16  # range requests at once, so 128 MiB in memory
FILES = 8  # files at once

OnBytes = Callable[[int], None]


@dataclass(frozen=True)
class Pull:
    """What is to be pulled, and where it goes.

    Attributes:
        location: where it is read.
        manifest: of the version; `manifest_json` are its bytes at the source.
        root: the folder it goes to; the version is <root>/<name>/<version>.
        splits: those that were asked for.
        files: all files that were asked for, whether they are there already or not.
    """

    location: Location
    manifest: Manifest
    manifest_json: bytes
    root: Path
    splits: tuple[str, ...]
    files: tuple[StoredFile, ...]

    @functools.cached_property
    def folder(self) -> Path:
        """Where the version will be."""
        return self.root / self.manifest.name / self.manifest.version

    @property
    def size_bytes(self) -> int:
        """Of all files that were asked for."""
        return sum(file.size_bytes for file in self.files)

    @property
    def num_groups(self) -> int | None:
        """None: of the splits that were asked for, all."""
        return None

    @functools.cached_property
    def staging(self) -> Path:
        """Where its files are until they are whole. Named by the manifest: parts of another one are of no use."""
        return self.root / layout.STAGING / f"{self._staging_prefix}{self._manifest_sha256[:16]}"

    @property
    def _staging_prefix(self) -> str:
        return f"pull-{self.manifest.ref}-"

    @functools.cached_property
    def _manifest_sha256(self) -> str:
        return hashlib.sha256(self.manifest_json).hexdigest()

    def missing_files(self) -> list[StoredFile]:
        """Those that are not there yet.

        Raises:
            CorruptError: one is there with another size.
        """
        return [file for file in self.files if not self.is_there(file)]

    def missing_bytes(self, block_bytes: int = BLOCK_BYTES) -> int:
        """What is still to be read: without what is there, whole or in part."""
        with explaining_errors(self.root):
            return sum(self._rest_of(file, block_bytes) for file in self.missing_files())

    def is_there(self, file: StoredFile) -> bool:
        """Whether a file has its final name."""
        path = self.folder / file.path
        try:
            size = path.stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return False
        if size != file.size_bytes:
            raise CorruptError(
                f"{path} has {size:,} bytes, its manifest says {file.size_bytes:,}: it was changed. "
                "Remove it and pull again"
            )
        return True

    def run(
        self,
        on_bytes: OnBytes = lambda count: None,
        *,
        block_bytes: int = BLOCK_BYTES,
        connections: int = CONNECTIONS,
        free_bytes: Callable[[Path], int] = free_bytes_in,
    ) -> None:
        """Brings the files that are missing, then places the manifest.

        Args:
            block_bytes: what one range request asks for.
            connections: range requests at once; each holds a block in memory.
            free_bytes: tells how much room there is in a folder.

        Raises:
            ConflictError, CorruptError, PublishError, StoreError: see `pull`.
        """
        source = f"{public_name(self.location.store.root)}/{self.location.folder}"
        with explaining_errors(self.root):
            refuse_other_manifest(self.folder, self.manifest_json, source)
            missing = self.missing_files()
            require_room(self.root, self._room(missing), self.manifest.ref, free_bytes)
            self._claim(source)
            _Downloads(self, one_at_a_time(on_bytes), block_bytes, connections).run(missing)
            self._place_manifest()
            self._sweep()

    def _rest_of(self, file: StoredFile, block_bytes: int) -> int:
        return file.size_bytes - bytes_there(self.staging / file.path, file.size_bytes, block_bytes)

    def _room(self, missing: list[StoredFile]) -> int:
        return sum(max(file.size_bytes - bytes_allocated(self.staging / file.path), 0) for file in missing)

    def _claim(self, source: str) -> None:
        about = {MANIFEST_SHA256: self._manifest_sha256, "pulled_from": source}
        claim_version(LocalStore(self.root), self._relative_folder, self.manifest.digest, about)
        refuse_other_manifest(self.folder, self.manifest_json, source)  # another pull may have been first

    def _place_manifest(self) -> None:
        for folder in {(self.folder / file.path).parent for file in self.files} | {self.folder}:
            sync_folder(folder)
        store, path = LocalStore(self.root), f"{self._relative_folder}/{layout.MANIFEST}"
        if not store.put_if_absent(path, self.manifest_json) and store.read(path) != self.manifest_json:
            raise ConflictError(f"{self.folder} got another manifest meanwhile. Remove that folder and pull again")

    @property
    def _relative_folder(self) -> str:
        return f"{self.manifest.name}/{self.manifest.version}"

    def _sweep(self) -> None:
        """Removes what is left in the staging area of files that are whole, and of manifests that are no more."""
        for file in self.files:
            sweep_part(self.staging / file.path)
        for other in self.staging.parent.glob(f"{self._staging_prefix}*"):
            if other != self.staging:
                shutil.rmtree(other, ignore_errors=True)
        inner = {(self.staging / file.path).parent for file in self.files}
        for folder in sorted(inner | {self.staging}, key=lambda path: -len(path.parts)):
            remove_if_empty(folder)
        sweep_forgotten(self.staging.parent)


class _Downloads:
    """The files of a pull, several at once."""

    def __init__(self, pull: Pull, on_bytes: OnBytes, block_bytes: int, connections: int) -> None:
        self._pull = pull
        self._on_bytes = on_bytes
        self._block_bytes = block_bytes
        self._blocks = ThreadPoolExecutor(connections, "groupstream-block")
        self._files = ThreadPoolExecutor(FILES, "groupstream-file")
        self._stopped = threading.Event()

    def run(self, missing: list[StoredFile]) -> None:
        """First the files that no other process is at, then those of the others, if they left them."""
        try:
            at_others = self._all(missing, wait=False)
            self._all(at_others, wait=True)
        finally:
            self._stopped.set()
            self._blocks.shutdown(wait=False, cancel_futures=True)
            self._files.shutdown(cancel_futures=True)
            self._blocks.shutdown()

    def _all(self, files: list[StoredFile], wait: bool) -> list[StoredFile]:
        futures: dict[Future[bool], StoredFile] = {self._files.submit(self._one, f, wait): f for f in files}
        return [futures[done] for done in as_completed(futures) if not done.result()]

    def _one(self, file: StoredFile, wait: bool) -> bool:
        """Brings a file; whether it is there now."""
        path = self._pull.staging / file.path
        rest = self._pull._rest_of(file, self._block_bytes)
        while True:
            with locked_part(path) as handle:
                if handle is not None:
                    return self._bring(file, path, handle, rest)
            if not wait:
                return False
            if self._stopped.wait(LOOK_AGAIN_SECONDS):
                raise CancelledError

    def _bring(self, file: StoredFile, path: Path, handle: int, rest: int) -> bool:
        if self._pull.is_there(file):  # another process was here since we looked
            sweep_part(path)
            self._on_bytes(rest)
            return True
        with contextlib.closing(PartFile(path, file.size_bytes, self._block_bytes, handle)) as part:
            store, folder = self._pull.location
            source, target = f"{folder}/{file.path}", self._pull.folder / file.path
            download_file(store, source, file, part, target, self._blocks, self._on_bytes)
        return True


def one_at_a_time(on_bytes: OnBytes) -> OnBytes:
    """The same for many threads: no two calls at once."""
    lock = threading.Lock()

    def call(count: int) -> None:
        with lock:
            on_bytes(count)

    return call
