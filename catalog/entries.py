"""What a store holds: every version of every dataset, as the catalog shows it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from groupstream import layout
from groupstream.commit import read_claim
from groupstream.errors import GroupstreamError, UsageError
from groupstream.manifest import Manifest
from groupstream.stores import HttpStore, Store

_THREADS = 32  # that ask the store at once
_BROKEN = (GroupstreamError, OSError, ValueError, RecursionError)  # what reading a file that is no manifest raises


class Place(NamedTuple):
    """A folder of the store. `version` is empty where the versions of a dataset cannot even be listed."""

    name: str
    version: str


@dataclass(frozen=True)
class SplitEntry:
    """The figures of one split; `num_bytes` is of the serialised examples."""

    name: str
    num_groups: int
    num_examples: int
    num_bytes: int


@dataclass(frozen=True)
class VersionEntry:
    """A published version.

    Attributes:
        created_at: when it was claimed, in UTC, if its claim says so.
        features: names and types, by name.
        has_card: whether it was published with a page about it.
    """

    version: str
    created_at: datetime | None
    description: str
    license: str
    splits: tuple[SplitEntry, ...]
    features: tuple[tuple[str, str], ...]
    has_card: bool

    @property
    def num_groups(self) -> int:
        """Of all splits; a group that is in two of them counts twice."""
        return sum(split.num_groups for split in self.splits)

    @property
    def num_examples(self) -> int:
        """Of all splits."""
        return sum(split.num_examples for split in self.splits)

    @property
    def num_bytes(self) -> int:
        """Of the serialised examples of all splits."""
        return sum(split.num_bytes for split in self.splits)


@dataclass(frozen=True)
class BrokenVersion:
    """A version that cannot be read, and why, for people."""

    version: str
    reason: str


Entry = VersionEntry | BrokenVersion
Entries = Mapping[Place, Entry]


def read_entries(store: Store, known: Entries | None = None) -> dict[Place, Entry]:
    """All published versions, in the order of names and numbers.

    One request for the datasets and one for each of them; two for each version that is not known. What cannot be
    read is there as a `BrokenVersion`.

    Args:
        known: what was read before. A version never changes, so it is not read again; a broken one is.

    Raises:
        StoreError: the store cannot be reached, or does not allow it.
        UsageError: the store, a web server, does not list.
    """
    if isinstance(store, HttpStore):
        raise UsageError(
            f"{store.root} is on a web server, which does not list what it has; make its catalog where the datasets "
            "were published: in a folder, or at gs:// or s3://"
        )

    def read(place: Place, there: Entry | None) -> tuple[Place, Entry | None]:
        return place, there or _read(store, place)

    whole = {place: entry for place, entry in (known or {}).items() if isinstance(entry, VersionEntry)}
    with ThreadPoolExecutor(_THREADS) as threads:
        names = [name for name in store.folders("") if layout.is_name(name)]
        listed = [place for places in threads.map(lambda name: _list(store, name), names) for place in places]
        found = threads.map(lambda place: read(place[0], place[1] or whole.get(place[0])), listed)
        return {place: entry for place, entry in found if entry is not None}


def _list(store: Store, name: str) -> list[tuple[Place, BrokenVersion | None]]:
    """The folders of the versions of a dataset, or why there is no list of them."""
    try:
        versions = sorted(filter(layout.is_version, store.folders(name)), key=layout.version_key)
    except _BROKEN as error:
        return [(Place(name, ""), BrokenVersion("", _reason(error, store)))]
    return [(Place(name, version), None) for version in versions]


def _read(store: Store, place: Place) -> Entry | None:
    """The version of a folder; None where nothing is published there."""
    folder = f"{place.name}/{place.version}"
    path = f"{folder}/{layout.MANIFEST}"
    try:
        manifest = Manifest.from_json(store.read(path), f"{store.root}/{path}")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except _BROKEN as error:
        return BrokenVersion(place.version, _reason(error, store))
    return _entry(manifest, place.version, _created_at(store, folder))


def _entry(manifest: Manifest, version: str, created_at: datetime | None) -> VersionEntry:
    splits = ((name, split.statistics) for name, split in sorted(manifest.splits.items()))
    kinds = ((n, f"{f.image_format} image" if f.image_format else f.dtype) for n, f in manifest.features.items())
    return VersionEntry(
        version=version,
        created_at=created_at,
        description=manifest.description,
        license=str(manifest.spec.get("license") or ""),
        splits=tuple(SplitEntry(name, s.num_groups, s.num_examples, s.num_bytes) for name, s in splits),
        features=tuple(sorted(kinds)),
        has_card=any(file.path == layout.CARD for file in manifest.files),
    )


def _reason(error: BaseException, store: Store) -> str:
    """Without the root: the page may be served elsewhere, and a folder of this machine says nothing there."""
    return str(error).replace(f"{store.root}/", "") or type(error).__name__


def _created_at(store: Store, folder: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(read_claim(store, folder)["created_at"])
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (*_BROKEN, KeyError, TypeError, OverflowError):
        return None
