"""The cache: copies of what lies elsewhere, on this machine.

<cache>/roots/<root>/<name>/<version>/    what `pull` brought of a version: an ordinary version in an ordinary root
<cache>/groups/<digest>/<name>/<version>/ some groups of a version: a small version of its own

<root> is a readable form of where the version comes from, and a hash of it. A file has its final name only when it is
whole and was checked, so what is there can be read. Everything in the cache may be removed at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from groupstream import layout
from groupstream.disk import absolute
from groupstream.errors import ConflictError
from groupstream.refs import Location
from groupstream.stores import LocalStore, Store, StoredObject, Tagged
from groupstream.stores.address import without_credentials

CACHE_VARIABLE = "GROUPSTREAM_CACHE"
MANIFEST_SHA256 = "manifest_sha256"  # in the claim of a pulled version: of the manifest.json that it was pulled by

_SLUG_CHARACTERS = 60


def cache_folder() -> Path:
    """$GROUPSTREAM_CACHE, else $XDG_CACHE_HOME/groupstream, else ~/.cache/groupstream. It need not exist."""
    if own := os.environ.get(CACHE_VARIABLE):
        return absolute(own)
    shared = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(shared) if Path(shared).is_absolute() else Path.home() / ".cache"  # XDG: ignore a relative one
    return base / "groupstream"


def mirror_root(root: str) -> Path:
    """The folder in the cache that holds what was pulled from `root`. It is a root itself."""
    shown = public_name(root)
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", shown).strip("-.")[-_SLUG_CHARACTERS:].strip("-.")
    return cache_folder() / "roots" / f"{slug}-{hashlib.sha256(shown.encode()).hexdigest()[:10]}"


def public_name(root: str) -> str:
    """A root without a user, a password or a signature: these must not get into names of files.

    >>> public_name("https://me:secret@host/datasets/?token=1")
    'https://host/datasets'
    """
    return without_credentials(root).rstrip("/") or "/"


def source_root(location: Location) -> str:
    """The root that a version is pulled from, the same whether it was opened by a ref or by its path."""
    above, *ends = str(location).rsplit("/", 2)
    return above if len(ends) == 2 and layout.is_name(ends[0]) and layout.is_version(ends[1]) else str(location)


def copy_folder(location: Location) -> Path | None:
    """Where `pull` puts this version, None where the folder is not called <name>/<version>. It need not exist."""
    root = source_root(location)
    return None if root == str(location) else mirror_root(root) / str(location)[len(root) + 1 :]


def through_cache(location: Location) -> Location:
    """The same version, read from its copy in the cache as far as that goes.

    Returns:
        `location` itself where it is local, or nothing of it was pulled.
    """
    if isinstance(location.store, LocalStore | CachedStore):
        return location
    copy = copy_folder(location)
    if copy is None or not (copy / layout.CLAIM).is_file():
        return location
    return Location(CachedStore(location.store, location.folder, copy), location.folder)


class CachedStore:
    """A store of which one version is read from its copy, file by file, where the copy has the file.

    The manifest is always read from the store itself, so that a version that was published anew is noticed; so are
    files that were not pulled.

    Args:
        remote: where the version lies.
        folder: of the version, in `remote`.
        copy: the folder with the files that were pulled.
    """

    def __init__(self, remote: Store, folder: str, copy: Path) -> None:
        self._remote = remote
        self._prefix = f"{folder}/"
        self._copy = LocalStore(copy)

    @property
    def root(self) -> str:
        """That of the remote store: errors and hints name what people typed."""
        return self._remote.root

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """See `Store.read`.

        Raises:
            ConflictError: the manifest is not the one that was pulled.
        """
        if path == self._prefix + layout.MANIFEST:
            return self._read_manifest(path)[offset:][:length]
        if path.startswith(self._prefix):
            try:
                return self._copy.read(path[len(self._prefix) :], offset, length)
            except (FileNotFoundError, NotADirectoryError):  # not pulled, or removed since
                pass
        return self._remote.read(path, offset, length)

    def _read_manifest(self, path: str) -> bytes:
        content = self._remote.read(path)
        refuse_other_manifest(Path(self._copy.root), content, f"{public_name(self.root)}/{path}")
        return content

    def size_bytes(self, path: str) -> int | None:
        """See `Store.size_bytes`."""
        local = self.local_path(path)
        return self._remote.size_bytes(path) if local is None else local.stat().st_size

    def local_path(self, path: str) -> Path | None:
        """The file in the copy, None where it was not pulled."""
        if not path.startswith(self._prefix) or path == self._prefix + layout.MANIFEST:
            return None
        file = Path(self._copy.root, path[len(self._prefix) :])
        return file if file.is_file() else None

    def folders(self, path: str) -> list[str]:
        """See `Store.folders`. Those of the remote store."""
        return self._remote.folders(path)

    def stat(self, path: str) -> StoredObject | None:
        """See `Store.stat`. What the remote store says."""
        return self._remote.stat(path)

    def objects(self, path: str) -> Iterator[StoredObject]:
        """See `Store.objects`. Those of the remote store."""
        return self._remote.objects(path)

    def put_if_absent(self, path: str, source: bytes | Path, crc32c: str | None = None) -> bool:
        """See `Store.put_if_absent`. Writes to the remote store."""
        return self._remote.put_if_absent(path, source, crc32c)

    def replace(self, path: str, content: bytes) -> None:
        """See `Store.replace`. Writes to the remote store."""
        self._remote.replace(path, content)

    def read_tagged(self, path: str) -> Tagged | None:
        """See `Store.read_tagged`. Reads the remote store."""
        return self._remote.read_tagged(path)

    def swap(self, path: str, content: bytes, tag: str | None) -> bool:
        """See `Store.swap`. In the remote store."""
        return self._remote.swap(path, content, tag)

    def copy_if_absent(self, source_path: str, path: str) -> bool:
        """See `Store.copy_if_absent`. In the remote store."""
        return self._remote.copy_if_absent(source_path, path)

    def delete(self, path: str) -> None:
        """See `Store.delete`. In the remote store."""
        self._remote.delete(path)


def refuse_other_manifest(copy: Path, manifest: bytes, where: str) -> None:
    """Compares the manifest of a version with the one that its copy was pulled by.

    Args:
        copy: the folder of the copy; it need not exist.
        manifest: the bytes of manifest.json at the source.
        where: names the source in the error.

    Raises:
        ConflictError: the version was published anew since, or the folder holds something else.
    """
    pulled_by = _pulled_by(copy)
    if pulled_by is not None and pulled_by != hashlib.sha256(manifest).hexdigest():
        raise ConflictError(
            f"{where} is not what was pulled to {copy}: the version was published anew, or the folder is of another "
            "build. Remove that folder and pull again"
        )


def _pulled_by(copy: Path) -> str | None:
    """The SHA-256 of the manifest that the copy was, or is being, pulled by; None where there is no copy."""
    try:
        return hashlib.sha256((copy / layout.MANIFEST).read_bytes()).hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        pass
    try:
        return str(json.loads((copy / layout.CLAIM).read_bytes()).get(MANIFEST_SHA256))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, AttributeError):
        return "unreadable"
