"""How a version is written: a claim first, the manifest last, nothing ever changed.

1. `claim.json`, created only if absent: it names the build that writes this version. Of two builds exactly one
   gets it; the other is told. A build that died leaves its claim, and the same build goes on with it.
2. The files, each created only if absent. One that is there already is accepted if its size and CRC32C are equal.
3. `manifest.json`, created only if absent: this is the commit. Before it, the version does not exist.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import google_crc32c

from groupstream import layout
from groupstream.errors import ConflictError, CorruptError
from groupstream.manifest import Manifest, StoredFile, canonical_json
from groupstream.stores import Store

_BLOCK_BYTES = 8 << 20


@dataclass(frozen=True)
class StagedObject:
    """A file of a version that lies in its store already, elsewhere: it is copied there, and never passes through here.

    Attributes:
        path: in the store.
    """

    path: str


def claim_version(store: Store, folder: str, digest: str, run: Mapping[str, Any]) -> bool:
    """Claims a version for the build of this digest.

    Args:
        run: who claims it and when, for people to read.

    Returns:
        Whether it is ours: newly claimed, or claimed before by the same build.

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


def commit_version(
    store: Store,
    folder: str,
    manifest: Manifest,
    sources: Mapping[str, Path | bytes | StagedObject],
    on_file: Callable[[StoredFile], None] = lambda file: None,
) -> None:
    """Writes the files of a claimed version, then its manifest.

    Args:
        sources: the content of each file of the manifest, by path.
        on_file: called after each file.

    Raises:
        ConflictError: a file or a manifest with other content is there.
        PublishError: the store refuses a write.
    """
    for file in manifest.all_files():
        _put_or_accept(store, f"{folder}/{file.path}", sources[file.path], file)
        on_file(file)
    content = manifest.to_json()
    path = f"{folder}/{layout.MANIFEST}"
    if not store.put_if_absent(path, content) and store.read(path) != content:
        raise ConflictError(
            f"{manifest.ref} was published by another build meanwhile; set publish.version to another number"
        )


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


def _put_or_accept(store: Store, path: str, source: Path | bytes | StagedObject, file: StoredFile) -> None:
    if isinstance(source, StagedObject):
        is_new = store.copy_if_absent(source.path, path)
    else:
        is_new = store.put_if_absent(path, source)
    if is_new:
        return
    found = checksums(_blocks_in(store, path))
    if found != file.model_dump(exclude={"path"}, include=set(found)):
        raise ConflictError(
            f"{store.root}/{path} exists with other bytes ({found['size_bytes']:,}, not {file.size_bytes:,}); "
            "an unfinished build left it. Remove the folder, or set publish.version to another number"
        )


def _blocks_of(file: Path) -> Iterator[bytes]:
    with open(file, "rb") as handle:
        while block := handle.read(_BLOCK_BYTES):
            yield block


def _blocks_in(store: Store, path: str) -> Iterator[bytes]:
    position = 0
    while block := store.read(path, position, _BLOCK_BYTES):
        position += len(block)
        yield block
