"""A file of a source: on this machine, in a bucket or on a web server."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import google_crc32c

from groupstream import SourceError
from groupstream.stores import Store, StoredObject, is_url, open_store
from groupstream.stores.address import parse_address

_BLOCK_BYTES = 8 << 20
_CRC32C = "crc32c:"
_LEADS_ELSEWHERE = ("STORAGE_EMULATOR_HOST", "AWS_ENDPOINT_URL")  # may change while a process lives: in tests


@dataclass(frozen=True)
class SourceFile:
    """A file that was found; it is small, and can be pickled.

    Attributes:
        address: its absolute path, or `gs://bucket/path`, `s3://bucket/path`, `https://host/path`.
        size_bytes: when it was found.
        checksum: what the store says of its content without reading it, see `StoredObject`; None on this machine.
    """

    address: str
    size_bytes: int
    checksum: str | None = None

    def __str__(self) -> str:
        """The address, as errors give it."""
        return self.address

    @property
    def plain_address(self) -> str:
        """The address with nothing escaped: that of a web server has %20 for a space."""
        return unquote(self.address) if _is_web(self.address) else self.address

    @property
    def name(self) -> str:
        """What stands after the last slash."""
        return self.address.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The ending of the name, such as `.gz`; empty where it has none."""
        return os.path.splitext(self.name)[1]  # noqa: PTH122

    @property
    def local_path(self) -> Path | None:
        """Where it lies on this machine; None where it lies elsewhere."""
        return None if is_url(self.address) else Path(self.address)

    def read(self, offset: int = 0, length: int | None = None) -> bytes:
        """The bytes of the file, or of a range of it; fewer than asked only at its end. One request.

        Raises:
            FileNotFoundError: it is gone.
            OSError, StoreError: it cannot be read.
        """
        local = self.local_path
        if local is None:
            store, path = place_of(self.address)
            return store.read(path, offset, length)
        with open(local, "rb", buffering=0) as handle:
            handle.seek(offset)
            return _read_all(handle, length)


def _read_all(handle: Any, length: int | None) -> bytes:
    """Also where the system gives less at once, as it does beyond 2 GiB."""
    if length is None:
        return bytes(handle.readall())
    found = bytes(handle.read(length))
    while len(found) < length and (more := handle.read(length - len(found))):
        found += more
    return found


def local_file(path: str | os.PathLike[str]) -> SourceFile:
    """A file of this machine. Links keep their own names.

    Raises:
        OSError: it cannot be looked at.
    """
    absolute = Path(path).absolute()
    return SourceFile(str(absolute), absolute.stat().st_size)


def place_of(address: str) -> tuple[Store, str]:
    """The store that an address leads to, and the path in it.

    Raises:
        UsageError: there is no store for such an address, or it is one on a web server with a query.
    """
    scheme, _, rest = address.partition("://")
    host, _, path = rest.partition("/")
    if _is_web(address):
        path = unquote(parse_address(address).prefix)  # which refuses a query
    leads = tuple(os.environ.get(name) for name in _LEADS_ELSEWHERE)
    return _store(f"{scheme}://{host}", leads), path.strip("/")


@functools.lru_cache(maxsize=32)
def _store(root: str, leads: tuple[str | None, ...]) -> Store:
    """One for all files of a bucket, since a client is slow to make."""
    return open_store(root)


def stored_file(root: str, stored: StoredObject) -> SourceFile:
    """A file of what the store at `root` lists."""
    path = quote(stored.path) if _is_web(root) else stored.path
    return SourceFile(f"{root}/{path}", stored.size_bytes, stored.checksum)


def _is_web(address: str) -> bool:
    return address.startswith(("http://", "https://"))


def names_of(files: Sequence[SourceFile | Path]) -> list[str]:
    """Short distinct names: the paths below the folder that all share."""
    addresses = [str(file.absolute()) if isinstance(file, Path) else file.address for file in files]
    shared = os.path.commonprefix([min(addresses), max(addresses)])  # noqa: RUF071 - of letters, then of folders
    start = shared.rfind("/") + 1
    return [unquote(address[start:]) if _is_web(address) else address[start:] for address in addresses]


def identity_of(files: Sequence[SourceFile | Path]) -> dict[str, Any]:
    """The identity of the content of the files: their names, sizes and checksums.

    The checksum is the CRC32C, so a file has the same identity on this machine, where every byte is read, and in a
    bucket of Google, which keeps it. It costs less than the disk. Of S3 and of web servers it is the ETag, where they
    send one: a copy of the same content may have another identity there, and is then built anew. Where there is none,
    every byte is read.

    Raises:
        OSError, StoreError: a file cannot be read.
    """
    found = [local_file(file) if isinstance(file, Path) else file for file in files]
    lines = [f"{name}\t{file.size_bytes}\t{_checksum(file)}" for name, file in zip(names_of(found), found, strict=True)]
    return {
        "num_files": len(found),
        "num_bytes": sum(file.size_bytes for file in found),
        "fingerprint": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
    }


def _checksum(file: SourceFile) -> str:
    if file.checksum is not None:
        return file.checksum.removeprefix(_CRC32C)
    local = file.local_path
    if local is None:
        return _crc32c(file)
    return _kept_crc32c(file, local.stat().st_mtime_ns)


@functools.lru_cache(maxsize=1 << 16)
def _kept_crc32c(file: SourceFile, modified_at_ns: int) -> str:
    """Kept for as long as the file is as it was, since a command may ask twice."""
    return _crc32c(file)


def _crc32c(file: SourceFile) -> str:
    crc = google_crc32c.Checksum()
    for block in iter_blocks(file):
        crc.update(block)
    return str(crc.digest().hex())


def iter_blocks(file: SourceFile) -> Iterator[bytes]:
    """All bytes of a file, in blocks of 8 MiB.

    Raises:
        SourceError: it is shorter than when it was found.
    """
    for offset in range(0, file.size_bytes, _BLOCK_BYTES):
        length = min(_BLOCK_BYTES, file.size_bytes - offset)
        yield whole_range(file, offset, length)


def whole_range(file: SourceFile, offset: int, length: int) -> bytes:
    """Exactly this range of a file.

    Raises:
        SourceError: the file ends before.
    """
    data = file.read(offset, length) if offset or length != file.size_bytes else file.read()
    if len(data) < length:
        raise SourceError(
            f"{file} ends at byte {offset + len(data):,}, it had {file.size_bytes:,} when it was found. "
            "Leave the files of a source as they are while it is read, and try again"
        )
    return data[:length]
