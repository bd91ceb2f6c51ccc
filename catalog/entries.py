"""What a store holds: every version of every dataset, as the catalog shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from groupstream import layout
from groupstream.catalog.listing import ListedVersion, Overview, UnreadableVersion, overview, read_unknown
from groupstream.errors import UsageError
from groupstream.stores import HttpStore, Store

_THREADS = 32  # that ask the store at once


class Place(NamedTuple):
    """A folder of the store. `version` is empty for what is wrong with the dataset as a whole."""

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
        created_at: when it was published, in UTC, by the catalog; or else when it was claimed, if its claim says so.
        features: names and types, by name.
        has_card: whether it was published with a page about it.
        aliases: that lead to it.
        is_deprecated: whether it should not be used any more; `message` says why.
    """

    version: str
    created_at: datetime | None
    description: str
    license: str
    splits: tuple[SplitEntry, ...]
    features: tuple[tuple[str, str], ...]
    has_card: bool
    aliases: tuple[str, ...] = ()
    is_deprecated: bool = False
    message: str = ""

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
    """All versions that can be opened, in the order of names and numbers.

    One request for the datasets, and two for each of them: for its catalog, and for the folders that this may lack;
    two more for each version that it lacks. What cannot be read is there as a `BrokenVersion`.

    Args:
        known: what was read before. A manifest never changes, so that of a version that no catalog has is not read
            again; a broken one is.

    Raises:
        StoreError: the store cannot be reached, or does not allow it.
        UsageError: the store, a web server, does not list.
    """
    if isinstance(store, HttpStore):
        raise UsageError(
            f"{store.root} is on a web server, which does not list what it has; make its catalog where the datasets "
            "were published: in a folder, or at gs:// or s3://"
        )
    whole = {place: entry for place, entry in (known or {}).items() if isinstance(entry, VersionEntry)}

    def read(place: Place) -> Entry | None:
        return whole.get(place) or _entry(read_unknown(store, *place), store)

    with ThreadPoolExecutor(_THREADS) as threads:
        names = [name for name in store.folders("") if layout.is_name(name)]
        found = list(zip(names, threads.map(lambda name: overview(store, name), names), strict=True))
        unknown = [Place(name, version) for name, of_name in found for version in of_name.unknown]
        entries = dict(_known(found, store)) | dict(zip(unknown, threads.map(read, unknown), strict=True))
    return {place: entry for place, entry in sorted(entries.items(), key=_order) if entry is not None}


def _known(found: list[tuple[str, Overview]], store: Store) -> Iterator[tuple[Place, Entry | None]]:
    """What catalogs say, and what is wrong with them."""
    for name, of_name in found:
        for listed in of_name.known:
            if listed.described.is_readable:
                yield Place(name, listed.described.version), _entry(listed, store)
        for trouble in of_name.trouble:
            yield Place(name, trouble.version), _entry(trouble, store)


def _order(item: tuple[Place, Entry | None]) -> tuple[str, tuple[int, ...]]:
    name, version = item[0]
    return name, layout.version_key(version) if version else ()


def _entry(found: ListedVersion | UnreadableVersion | None, store: Store) -> Entry | None:
    if found is None:
        return None
    if isinstance(found, UnreadableVersion):
        return BrokenVersion(found.version, _reason(found.error, store))
    version = found.described
    splits = (SplitEntry(n, s.num_groups, s.num_examples, s.num_bytes) for n, s in sorted(version.splits.items()))
    return VersionEntry(
        version=version.version,
        created_at=found.published_at,
        description=version.description,
        license=version.license,
        splits=tuple(splits),
        features=tuple(sorted(version.features.items())),
        has_card=version.has_card,
        aliases=found.aliases,
        is_deprecated=version.state == "deprecated",
        message=version.message,
    )


def _reason(error: BaseException, store: Store) -> str:
    """Without the root: the page may be served elsewhere, and a folder of this machine says nothing there."""
    return str(error).replace(f"{store.root}/", "") or type(error).__name__
