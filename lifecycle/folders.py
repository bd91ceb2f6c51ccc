"""What lies in the folders of a dataset, version by version. One listing tells all of it."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from groupstream import layout
from groupstream.layout import is_version, version_key
from groupstream.stores import Store, StoredObject

REMOVALS_AT_ONCE = 16  # what a removal costs is waiting for the answer

_KEPT = (layout.CLAIM, layout.TOMBSTONE)  # for ever, so that no other build gets the number


@dataclass(frozen=True)
class VersionFolder:
    """A folder called like a version; there need not be one in it.

    Attributes:
        files: what lies in it, by the path in it.
    """

    name: str
    version: str
    files: dict[str, StoredObject]

    @property
    def ref(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    @property
    def path(self) -> str:
        """Under the root."""
        return f"{self.name}/{self.version}"

    @property
    def has_manifest(self) -> bool:
        """Whether it is committed."""
        return layout.MANIFEST in self.files

    @property
    def has_tombstone(self) -> bool:
        """Whether somebody began to delete it."""
        return layout.TOMBSTONE in self.files

    @property
    def payload(self) -> list[StoredObject]:
        """What goes when the version is deleted, in the order in which it goes: the manifest first."""
        inside = sorted(self.files.items(), key=lambda item: (item[0] != layout.MANIFEST, item[0]))
        return [file for path, file in inside if path not in _KEPT]

    @property
    def payload_bytes(self) -> int:
        """How much that is."""
        return sum(file.size_bytes for file in self.payload)


def version_folders(store: Store, name: str) -> list[VersionFolder]:
    """The folders of a dataset that are called like versions, oldest number first. A request for each 1,000 files."""
    inside: dict[str, dict[str, StoredObject]] = {}
    for found in store.objects(name):
        version, _, path = found.path.removeprefix(f"{name}/").partition("/")
        if path and is_version(version):
            inside.setdefault(version, {})[path] = found
    return [VersionFolder(name, version, inside[version]) for version in sorted(inside, key=version_key)]


def version_folder(store: Store, name: str, version: str) -> VersionFolder:
    """One of them; without files where there is none."""
    prefix = f"{name}/{version}/"
    found = {each.path.removeprefix(prefix): each for each in store.objects(f"{name}/{version}")}
    return VersionFolder(name, version, found)


def remove_files(store: Store, files: Iterable[StoredObject]) -> int:
    """Removes objects, several at once; how many bytes they had.

    Raises:
        PublishError: the store refuses.
    """
    gone = list(files)
    with ThreadPoolExecutor(REMOVALS_AT_ONCE, "groupstream-remove") as threads:
        list(threads.map(lambda file: store.delete(file.path), gone))
    return sum(file.size_bytes for file in gone)
