"""How a version is written: a claim first, the manifest last, nothing ever changed.

1. `claim.json`, created only if absent: it names the build that writes this version. Of two builds exactly one
   gets it; the other is told. A build that died leaves its claim, and the same build goes on with it.
2. The files, several at once, each created only if absent, and only of the bytes that the manifest describes. One that
   is there already is accepted if its size and CRC32C are equal; it is read only where the store does not know its
   CRC32C.
3. `manifest.json`, created only if absent: this is the commit. Before it, the version does not exist.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import google_crc32c

from groupstream import layout
from groupstream.errors import ConflictError, CorruptError, PublishError
from groupstream.manifest import Manifest, StoredFile, canonical_json
from groupstream.stores import Store, StoredObject
from groupstream.stores.crc32c import crc32c_of
from groupstream.stores.known_crc32c import crc32c_in

UPLOADS = 8  # files at once; each may hold 16 MiB

_BLOCK_BYTES = 8 << 20
_SHOWN_CHARS = 100


@dataclass(frozen=True)
class StagedObject:
    """A file of a version that lies in its store already, elsewhere: it is copied there, and never passes through here.

    Attributes:
        path: in the store.
    """

    path: str


Content = Path | bytes | StagedObject


def claim_version(store: Store, folder: str, digest: str, run: Mapping[str, Any]) -> bool:
    """Claims a version for the build of this digest.

    Args:
        run: who claims it and when, for people to read.

    Returns:
        Whether it is ours: newly claimed, or claimed before by the same build. If it is not, `claimed_by` says whose.

    Raises:
        PublishError: the store refuses the write.
    """
    path = f"{folder}/{layout.CLAIM}"
    if store.put_if_absent(path, canonical_json({"digest": digest, **run})):
        return True
    return bool(read_claim(store, folder).get("digest") == digest)


def read_claim(store: Store, folder: str) -> dict[str, Any]:
    """Who writes, or wrote, the version in `folder`; empty where no one does."""
    path = f"{folder}/{layout.CLAIM}"
    try:
        return dict(json.loads(store.read(path)))
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError) as error:
        raise CorruptError(
            f"{store.root}/{path} is not a claim: {error}. Remove the folder if it has no manifest.json"
        ) from error


def claimed_by(store: Store, folder: str) -> str:
    """The run that claimed a version, in words for errors: "run 7c1e since 2026-11-28T20:00:00Z".

    Where the claim does not say it, "another build".
    """
    try:
        claim = read_claim(store, folder)
    except CorruptError:
        claim = {}
    run, since = (_shown(claim.get(key)) for key in ("run", "created_at"))
    return (f"run {run}" if run else "another build") + (f" since {since}" if since else "")


def commit_version(
    store: Store,
    folder: str,
    manifest: Manifest,
    sources: Mapping[str, Content],
    on_file: Callable[[StoredFile], None] = lambda file: None,
    *,
    uploads: int = UPLOADS,
) -> None:
    """Writes the files of a claimed version, then its manifest. After a crash, only what is missing is written.

    Args:
        sources: the content of each file of the manifest, by path.
        on_file: called in this thread after each file, in no order.
        uploads: files that are written at once.

    Raises:
        ConflictError: a file or a manifest with other content is there.
        PublishError: the store refuses a write, or a file is not what the manifest describes any more.
    """
    files = _Files(store, folder, sources)
    _all_at_once(files.bring, manifest.all_files(), on_file, uploads)
    content = manifest.to_json()
    path = f"{folder}/{layout.MANIFEST}"
    if not store.put_if_absent(path, content, crc32c_of(content)) and store.read(path) != content:
        raise ConflictError(
            f"{manifest.ref} was published meanwhile with other content, by {claimed_by(store, folder)}; "
            "set publish.version to another number"
        )


class _Files:
    """The files of a version that is being written. What is there already is asked once, for all of them."""

    def __init__(self, store: Store, folder: str, sources: Mapping[str, Content]) -> None:
        self._store = store
        self._folder = folder
        self._sources = sources
        self._there = {found.path: found for found in store.objects(folder)}

    def bring(self, file: StoredFile) -> None:
        """Writes a file if it is missing; accepts it if it is there."""
        path = f"{self._folder}/{file.path}"
        found = self._there.get(path)
        if found is None:
            if self._put(path, file):
                return
            found = self._store.stat(path)
        if not _is_same(self._store, file, found):
            size = found.size_bytes if found else 0
            raise ConflictError(
                f"{self._store.root}/{path} exists with other bytes ({size:,}, not {file.size_bytes:,}); an unfinished "
                f"build left it, {claimed_by(self._store, self._folder)}. Remove the folder, or set publish.version "
                "to another number"
            )

    def _put(self, path: str, file: StoredFile) -> bool:
        source = self._sources[file.path]
        if not isinstance(source, StagedObject):
            return self._store.put_if_absent(path, source, file.crc32c)
        known = crc32c_in(self._store, source.path)
        if known not in (None, file.crc32c):
            raise PublishError(
                f"{self._store.root}/{source.path} has crc32c {known}, {file.crc32c} was described: it was changed "
                "in the staging area. Build the version again"
            )
        return self._store.copy_if_absent(source.path, path)


def _all_at_once(
    bring: Callable[[StoredFile], None],
    files: Iterable[StoredFile],
    on_file: Callable[[StoredFile], None],
    uploads: int,
) -> None:
    """The largest first, so that none of them is alone at the end. After a failure no other file is begun."""
    largest_first = sorted(files, key=lambda file: -file.size_bytes)
    with ThreadPoolExecutor(uploads, "groupstream-upload") as threads:
        futures: dict[Future[None], StoredFile] = {threads.submit(bring, file): file for file in largest_first}
        try:
            for done in as_completed(futures):
                done.result()
                on_file(futures[done])
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise


def _is_same(store: Store, file: StoredFile, found: StoredObject | None) -> bool:
    if found is None or found.size_bytes != file.size_bytes:
        return False
    known = crc32c_in(store, found.path, found)
    return file.crc32c == (checksums(_blocks_in(store, found.path))["crc32c"] if known is None else known)


def describe_file(path: str, source: Path | bytes) -> StoredFile:
    """Size and checksums of a file of a version. Reads it once."""
    blocks = [source] if isinstance(source, bytes) else _blocks_of(source)
    return StoredFile(path=path, **checksums(blocks))


def checksums(blocks: Iterable[bytes]) -> dict[str, int | str]:
    """`size_bytes`, `crc32c` and `sha256` of the blocks together."""
    crc, sha, size = google_crc32c.Checksum(), hashlib.sha256(), 0
    for block in blocks:
        crc.update(block)
        sha.update(block)
        size += len(block)
    return {"size_bytes": size, "crc32c": crc.digest().hex(), "sha256": sha.hexdigest()}


def _shown(text: object) -> str:
    """What a claim says, for an error: one line, and not a long one."""
    return "".join(c for c in str(text) if c.isprintable())[:_SHOWN_CHARS] if isinstance(text, str) else ""


def _blocks_of(file: Path) -> Iterator[bytes]:
    with open(file, "rb") as handle:
        while block := handle.read(_BLOCK_BYTES):
            yield block


def _blocks_in(store: Store, path: str) -> Iterator[bytes]:
    position = 0
    while block := store.read(path, position, _BLOCK_BYTES):
        position += len(block)
        yield block
