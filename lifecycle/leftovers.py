"""What lies in a store and serves no version any more: of deleted versions, of builds that died, of old runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

from groupstream import layout
from groupstream.catalog import DatasetCatalog
from groupstream.stores import LocalStore, Store, StoredObject
from lifecycle.claims import claim_of
from lifecycle.deletion import deleted_since
from lifecycle.folders import VersionFolder
from lifecycle.pull_records import Pull
from lifecycle.retention import RetentionPolicy
from lifecycle.tombstones import read_tombstone

if TYPE_CHECKING:
    from registry import Registry

Kind = Literal["version", "deleted version", "unfinished build", "report", "staging area", "pull records"]

MAX_RUN = timedelta(days=7)  # one that has been running for longer, and wrote nothing lately, is dead
_MAX_RUNS = 1_000  # of a dataset that are looked at
_STAGED = "build-"  # begins the name of a build's staging area


class Item(NamedTuple):
    """Something that goes.

    Attributes:
        ref: of a version; of what belongs to none, its path in the store.
        why: nothing keeps it.
        files: that go; those of a version that is only marked now go after its grace.
        free_from: when that is; None for now.
    """

    kind: Kind
    ref: str
    why: str
    files: tuple[StoredObject, ...]
    free_from: datetime | None = None

    @property
    def num_bytes(self) -> int:
        """Of all its files."""
        return sum(file.size_bytes for file in self.files)


def deleted_items(
    store: Store, catalog: DatasetCatalog, folders: Sequence[VersionFolder], policy: RetentionPolicy, now: datetime
) -> Iterator[Item]:
    """The files of versions that are deleted, those in their period of grace too; and deletions that stopped midway."""
    for folder in folders:
        tombstone = read_tombstone(store, folder.path) if folder.has_tombstone and folder.payload else None
        if tombstone is None:
            continue
        entry, said = catalog.get(folder.version), f"by {tombstone.by}: {tombstone.reason}"
        if entry is not None and not entry.is_readable:
            since = deleted_since(catalog, folder.version, tombstone)
            why = f"deleted on {since:%Y-%m-%d} {said}"
            yield Item("deleted version", folder.ref, why, tuple(folder.payload), since + policy.grace)
        else:
            why = f"its deletion stopped midway, begun on {tombstone.at:%Y-%m-%d} {said}"
            yield Item("version", folder.ref, why, tuple(folder.payload), now + policy.grace)


def abandoned_items(
    store: Store, registry: Registry | None, folders: Sequence[VersionFolder], policy: RetentionPolicy, now: datetime
) -> Iterator[Item]:
    """What builds left that claimed a number, died, and did not go on for long."""
    for folder in folders:
        if folder.has_manifest or folder.has_tombstone or not folder.payload:
            continue
        claim = claim_of(store, folder.path)
        since = max(filter(None, (claim.created_at, _newest(folder.payload))), default=None)
        if since is None or now - since < timedelta(hours=policy.keep_abandoned_hours):
            continue
        if registry is None or not is_running(registry, store.root, folder.name, claim.digest, now):
            why = f"not published, and untouched since {since:%Y-%m-%d}"
            yield Item("unfinished build", folder.ref, why, tuple(folder.payload))


def report_items(store: Store, name: str, policy: RetentionPolicy, now: datetime) -> Iterator[Item]:
    """The reports and quarantines of runs of a dataset that are old."""
    for run, files in _by_folder(store, f"{layout.REPORTS}/{name}").items():
        written = _newest(files)
        if written is not None and now - written >= timedelta(days=policy.keep_report_days):
            yield Item("report", run, f"written on {written:%Y-%m-%d}", tuple(files))


def staging_items(store: Store, policy: RetentionPolicy, now: datetime) -> Iterator[Item]:
    """What builds in a bucket wrote that died. On a disk the next build sweeps it away, as it sees that they died."""
    if isinstance(store, LocalStore):
        return
    for area, files in _by_folder(store, layout.STAGING).items():
        written = _newest(files)
        is_old = written is not None and now - written >= timedelta(days=policy.keep_staging_days)
        if is_old and area.startswith(f"{layout.STAGING}/{_STAGED}"):
            yield Item("staging area", area, f"untouched since {written:%Y-%m-%d}", tuple(files))


def pull_items(pulls: Sequence[Pull], policy: RetentionPolicy, now: datetime) -> Iterator[Item]:
    """Records of pulls that no registry took, and that keep no version any more."""
    days = max(policy.keep_pull_days, policy.keep_used_days)
    for name in sorted({pull.name for pull in pulls}):
        files = tuple(p.file for p in pulls if p.name == name and now - p.at >= timedelta(days=days))
        if files:
            yield Item("pull records", f"{layout.PULLS}/{name}", f"older than {days} days", files)


def is_running(registry: Registry, root: str, name: str, digest: str, now: datetime) -> bool:
    """Whether a run writes this version, or goes on writing it."""
    runs = registry.runs(name, limit=_MAX_RUNS, root=root)
    return any(r.state == "running" and r.digest == digest and now - r.started_at < MAX_RUN for r in runs)


def _newest(files: Sequence[StoredObject]) -> datetime | None:
    return max((file.modified_at for file in files if file.modified_at is not None), default=None)


def _by_folder(store: Store, path: str) -> dict[str, list[StoredObject]]:
    """The files below each folder directly under a path."""
    found: dict[str, list[StoredObject]] = {}
    for file in store.objects(path):
        folder, _, inside = file.path.removeprefix(f"{path}/").partition("/")
        if inside:
            found.setdefault(f"{path}/{folder}", []).append(file)
    return found
