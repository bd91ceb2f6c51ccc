"""What lies in the folders of a dataset, version by version. One listing tells all of it."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from groupstream import CorruptError, layout
from groupstream.commit import read_claim
from groupstream.layout import is_alias, is_version, version_key
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


@dataclass(frozen=True)
class Claim:
    """Which build writes a version, or wrote it, as far as that is known.

    Attributes:
        aliases: that the version shall have, if they can be aliases.
    """

    digest: str = ""
    run: str | None = None
    created_at: datetime | None = None
    aliases: tuple[str, ...] = ()


def claim_of(store: Store, folder: str) -> Claim:
    """What the claim in a folder says; nothing where it is none, or cannot be understood."""
    try:
        fields = read_claim(store, folder)
    except CorruptError:
        return Claim()
    digest, run, aliases = (fields.get(key) for key in ("digest", "run", "aliases"))
    named = aliases if isinstance(aliases, list) else []
    return Claim(
        digest=digest if isinstance(digest, str) else "",
        run=run if isinstance(run, str) else None,
        created_at=moment_of(fields.get("created_at")),
        aliases=tuple(alias for alias in named if isinstance(alias, str) and is_alias(alias)),
    )


def moment_of(text: object) -> datetime | None:
    """A moment as ISO 8601 with a time zone, in UTC; None where it is none.

    >>> moment_of("2026-01-01T12:00:00+01:00")
    datetime.datetime(2026, 1, 1, 11, 0, tzinfo=datetime.timezone.utc)
    """
    try:
        moment = datetime.fromisoformat(str(text))
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
