"""The files of a version that is not published yet, as a store: what reads a published one reads this too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from groupstream.commit import StagedObject
from groupstream.errors import UsageError
from groupstream.stores import Store, StoredObject, Tagged

Content = Path | bytes | StagedObject


class ContentStore:
    """Reads the content of files from wherever each lies now. Nothing can be written.

    Args:
        store: where the version will be, and where the `StagedObject`s are.
        name: how the version is called in errors.
        files: the content of each file, by its path in the version. What is added later is there too.
    """

    def __init__(self, store: Store, name: str, files: Mapping[str, Content]) -> None:
        self._store = store
        self._files = files
        self.root = name

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """See `Store.read`."""
        content = self._content(path)
        if isinstance(content, StagedObject):
            return self._store.read(content.path, offset, length)
        if isinstance(content, bytes):
            return content[offset:][:length]
        with open(content, "rb") as file:
            file.seek(offset)
            return file.read(-1 if length is None else length)

    def local_path(self, path: str) -> Path | None:
        """The file of this machine, None where the content is elsewhere."""
        content = self._files.get(path)
        return content if isinstance(content, Path) else None

    def size_bytes(self, path: str) -> int | None:
        """See `Store.size_bytes`."""
        found = self.stat(path)
        return None if found is None else found.size_bytes

    def stat(self, path: str) -> StoredObject | None:
        """See `Store.stat`."""
        content = self._files.get(path)
        if content is None:
            return None
        if isinstance(content, StagedObject):
            found = self._store.stat(content.path)
            return found and found._replace(path=path)
        return StoredObject(path, len(content) if isinstance(content, bytes) else content.stat().st_size, None)

    def folders(self, path: str) -> list[str]:
        """See `Store.folders`."""
        prefix = f"{path}/" if path else ""
        below = (name.removeprefix(prefix) for name in self._files if name.startswith(prefix))
        return sorted({name.split("/")[0] for name in below if "/" in name})

    def objects(self, path: str) -> Iterator[StoredObject]:
        """See `Store.objects`."""
        prefix = f"{path}/" if path else ""
        found = (self.stat(name) for name in self._files if name.startswith(prefix))
        return (one for one in found if one is not None)

    def put_if_absent(self, path: str, source: bytes | Path, crc32c: str | None = None) -> bool:
        """Refused."""
        raise self._refusal()

    def replace(self, path: str, content: bytes) -> None:
        """Refused."""
        raise self._refusal()

    def read_tagged(self, path: str) -> Tagged | None:
        """See `Store.read_tagged`."""
        return Tagged(self.read(path), "") if path in self._files else None

    def swap(self, path: str, content: bytes, tag: str | None) -> bool:
        """Refused."""
        raise self._refusal()

    def copy_if_absent(self, source_path: str, path: str) -> bool:
        """Refused."""
        raise self._refusal()

    def delete(self, path: str) -> None:
        """Refused."""
        raise self._refusal()

    def _content(self, path: str) -> Content:
        if path not in self._files:
            raise FileNotFoundError(f"{self.root} has no file {path}")
        return self._files[path]

    def _refusal(self) -> UsageError:
        return UsageError(f"{self.root} can only be read; publish it first")
