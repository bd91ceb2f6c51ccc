"""The files of a version, from one store to another, by way of this machine, where every byte is checked.

A file of this machine is uploaded as it is, if it has the CRC32C of the manifest. What comes from elsewhere, or goes to
a folder, is brought to a staging area first and compared with its CRC32C. That takes the room of four files on the
disk, the largest ones at worst, and up to 400 MB of memory (350 were measured), however large the version is.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from pathlib import Path

from groupstream import layout
from groupstream.cache import cache_folder
from groupstream.commit import describe_file
from groupstream.disk import explaining_errors, free_bytes_in, remove_if_empty, require_room
from groupstream.errors import CorruptError, PublishError
from groupstream.manifest import Manifest, StoredFile
from groupstream.pulling.download import download_file
from groupstream.pulling.files import BLOCK_BYTES, CONNECTIONS, one_at_a_time
from groupstream.pulling.part_file import LOOK_AGAIN_SECONDS, PartFile, locked_part, sweep_part
from groupstream.refs import Location
from groupstream.stored import local_path
from groupstream.stores import LocalStore, Store

FILES = 4  # at once, and so on this machine


class Bringing:
    """Copies files of a version. A context manager, at whose end no thread is at work any more.

    Args:
        content: the bytes of its manifest.json: parts of another one are of no use.
        target: gets them, in <name>/<version>.
        on_bytes: called with the number of bytes that have just been read, one call at a time.
    """

    def __init__(
        self, source: Location, manifest: Manifest, content: bytes, target: Store, on_bytes: Callable[[int], None]
    ) -> None:
        self._source = source
        self._manifest = manifest
        self._target = target
        self._on_bytes = one_at_a_time(on_bytes)
        self._is_folder = isinstance(target, LocalStore)
        above = Path(target.root) if self._is_folder else cache_folder()
        self._staging = above / layout.STAGING / f"publish-{manifest.ref}-{hashlib.sha256(content).hexdigest()[:16]}"
        self._blocks = ThreadPoolExecutor(CONNECTIONS, "groupstream-block")
        self._files = ThreadPoolExecutor(FILES, "groupstream-file")
        self._stopped = threading.Event()

    def __enter__(self) -> Bringing:
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        self._blocks.shutdown(wait=False, cancel_futures=True)
        self._files.shutdown(cancel_futures=True)
        self._blocks.shutdown()

    def run(self, files: list[StoredFile], is_there: Callable[[StoredFile], bool]) -> None:
        """Copies the files; the largest first, so that nobody waits for one at the end.

        Args:
            is_there: whether the target has a file by now; raises if it has another one.

        Raises:
            CorruptError: the source has other bytes than its manifest says. Nothing of such a file is written.
            PublishError: the target refuses a write, or this machine has no room.
            StoreError: the source cannot be read.
        """
        by_size = sorted(files, key=lambda file: -file.size_bytes)
        self._require_room([file for file in by_size if self._own_file(file) is None])
        for done in as_completed([self._files.submit(self._copy, file, is_there) for file in by_size]):
            done.result()
        for folder in sorted({(self._staging / file.path).parent for file in files}, key=lambda p: -len(p.parts)):
            remove_if_empty(folder)
        remove_if_empty(self._staging)

    def _require_room(self, staged: list[StoredFile]) -> None:
        needed = sum(file.size_bytes for file in (staged if self._is_folder else staged[:FILES]))
        if needed:
            require_room(self._staging, needed, self._manifest.ref, free_bytes_in)

    def _copy(self, file: StoredFile, is_there: Callable[[StoredFile], bool]) -> None:
        own = self._own_file(file)
        if own is None:
            return self._copy_alone(file, is_there)
        try:
            self._put(file, own, is_there)
        except PublishError:
            self._check(own, file)  # which may be why
            raise
        return self._on_bytes(file.size_bytes)

    def _copy_alone(self, file: StoredFile, is_there: Callable[[StoredFile], bool]) -> None:
        """Waits for another process that publishes the same version and is at this file."""
        staged = self._staging / file.path
        lock = staged.with_name(f"{staged.name}.lock")
        while not self._stopped.is_set():
            with contextlib.ExitStack() as locked:
                with self._explaining():
                    handle = locked.enter_context(locked_part(lock))
                if handle is not None:
                    return self._copy_staged(file, staged, lock, is_there)
            self._stopped.wait(LOOK_AGAIN_SECONDS)
        raise CancelledError

    def _copy_staged(self, file: StoredFile, staged: Path, lock: Path, is_there: Callable[[StoredFile], bool]) -> None:
        if is_there(file):  # another process was here since we looked
            self._on_bytes(file.size_bytes)
        else:
            with self._explaining():
                self._bring(file, staged)
            self._put(file, staged, is_there)
        staged.unlink(missing_ok=True)
        sweep_part(staged)
        sweep_part(lock)

    def _bring(self, file: StoredFile, staged: Path) -> None:
        store, folder = self._source
        with locked_part(staged) as handle:
            assert handle is not None, "who has the lock has the part"
            with contextlib.closing(PartFile(staged, file.size_bytes, BLOCK_BYTES, handle)) as part:
                download_file(store, f"{folder}/{file.path}", file, part, staged, self._blocks, self._on_bytes)

    def _put(self, file: StoredFile, content: Path, is_there: Callable[[StoredFile], bool]) -> None:
        path = f"{self._manifest.name}/{self._manifest.version}/{file.path}"
        if not self._target.put_if_absent(path, content, file.crc32c):
            is_there(file)

    def _own_file(self, file: StoredFile) -> Path | None:
        """The file of this machine, if it may be uploaded as it is. A folder would take it for its own."""
        if self._is_folder:
            return None
        path = local_path(self._source.store, f"{self._source.folder}/{file.path}")
        return path if path is not None and path.is_file() else None

    def _check(self, path: Path, file: StoredFile) -> None:
        found = describe_file(file.path, path)
        if found.sha256 != file.sha256:
            raise CorruptError(
                f"{path} has other bytes than the manifest of {self._manifest.ref} says ({found.size_bytes:,}, sha256 "
                f"{found.sha256[:12]}...); nothing of it was published. Look at it with: groupstream verify REF"
            )

    def _explaining(self) -> contextlib.AbstractContextManager[None]:
        return explaining_errors(
            self._staging,
            "choose another root with --to" if self._is_folder else "another cache with $GROUPSTREAM_CACHE",
        )
