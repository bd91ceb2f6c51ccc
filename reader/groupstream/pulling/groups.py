"""Some groups of a version, brought to this machine as a small version of their own.

It has the name and the number of the version, so it lies in a root of its own: <cache>/groups/<digest>. Its manifest
says of which version it is (`source`), and how many examples were left there (`counts`). It has everything that a
version has: shards by the rule of the hash, a group table, checksums, and the files for TensorFlow Datasets.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from groupstream import layout
from groupstream.binary import binary_array
from groupstream.cache import cache_folder, public_name
from groupstream.commit import claim_version, commit_version, read_claim
from groupstream.disk import explaining_errors, free_bytes_in, remove_if_empty, require_room
from groupstream.errors import ConflictError, UnknownKeyError, UsageError
from groupstream.group_table import SCHEMA
from groupstream.index_file import IndexFile
from groupstream.manifest import FORMAT_VERSION, Manifest, SplitInfo, canonical_json
from groupstream.pulling.files import CONNECTIONS, OnBytes, one_at_a_time
from groupstream.pulling.part_file import awaited_part, sweep_part
from groupstream.pulling.small_version import SmallVersion
from groupstream.pulling.version import folder_of, known_splits, read_manifest
from groupstream.refs import Location
from groupstream.selection import as_ids, shown_id
from groupstream.stores import LocalStore

SHARD_BYTES = 1 << 30  # about how large a new shard gets
_SHOWN_IDS = 5
_LOCK = "lock"


@dataclass(frozen=True)
class GroupsPull:
    """Which groups are to be pulled, and where they go.

    Attributes:
        location: where the version lies.
        manifest: of that version.
        root: the folder that gets <name>/<version>.
        digest: of what was asked for; it identifies the small version.
        tables: the rows of the group tables for the groups that were asked for, by split; none of them is empty.
        num_examples_seen: of all splits that were asked for.
    """

    location: Location
    manifest: Manifest
    root: Path
    digest: str
    tables: dict[str, pa.Table]
    num_examples_seen: int

    @property
    def folder(self) -> Path:
        """Where the small version will be."""
        return self.root / self.manifest.name / self.manifest.version

    @property
    def splits(self) -> tuple[str, ...]:
        """Those that have one of the groups."""
        return tuple(self.tables)

    @property
    def size_bytes(self) -> int:
        """Of the groups."""
        return sum(int(pc.sum(table["length_bytes"]).as_py()) for table in self.tables.values())

    @property
    def num_groups(self) -> int:
        """Of all splits that have one of them."""
        return sum(table.num_rows for table in self.tables.values())

    def missing_bytes(self) -> int:
        """What is still to be read: all or nothing."""
        with explaining_errors(self.root):
            return 0 if self._is_there() else self.size_bytes

    def run(
        self,
        on_bytes: OnBytes = lambda count: None,
        *,
        connections: int = CONNECTIONS,
        shard_bytes: int = SHARD_BYTES,
        free_bytes: Callable[[Path], int] = free_bytes_in,
    ) -> None:
        """Brings the groups, checks every CRC, and publishes the small version.

        Args:
            connections: range requests at once; each holds up to 8 MiB.
            shard_bytes: about how large a new shard gets, with no more shards than the version has.
            free_bytes: tells how much room there is in a folder.

        Raises:
            ConflictError: another version has its place.
            CorruptError: the source has other bytes than were published.
            PublishError: the folder cannot be written, or has no room.
        """
        with explaining_errors(self.root):
            if self._is_there():
                return
            require_room(self.root, self.size_bytes, self.manifest.ref, free_bytes)
            with self._staging() as staging, ThreadPoolExecutor(connections, "groupstream-block") as blocks:
                if not self._is_there():  # another process was first
                    self._publish(staging, shard_bytes, blocks, one_at_a_time(on_bytes))

    def _is_there(self) -> bool:
        """Whether the small version is there with all its files; somebody may have removed some."""
        path = self.folder / layout.MANIFEST
        manifest = Manifest.from_json(path.read_bytes(), str(path)) if path.is_file() else None
        claim = read_claim(LocalStore(self.root), self._relative_folder)
        if (manifest.digest if manifest else claim.get("digest")) not in (None, self.digest):
            raise self._conflict()
        return manifest is not None and all((self.folder / file.path).is_file() for file in manifest.all_files())

    @property
    def _relative_folder(self) -> str:
        return f"{self.manifest.name}/{self.manifest.version}"

    def _publish(self, staging: Path, shard_bytes: int, blocks: ThreadPoolExecutor, on_bytes: OnBytes) -> None:
        version = SmallVersion(self.location, self.manifest, staging)
        splits = {
            name: version.write_split(name, table, shard_bytes, blocks, on_bytes) for name, table in self.tables.items()
        }
        manifest = version.describe(self.digest, splits, self.num_examples_seen)
        store, source = LocalStore(self.root), f"{public_name(self.location.store.root)}/{self.location.folder}"
        if not claim_version(store, self._relative_folder, self.digest, {"pulled_from": source}):
            raise self._conflict()
        (self.folder / layout.MANIFEST).unlink(missing_ok=True)  # of a version that lost some of its files
        contents = {file.path: staging / file.path for file in manifest.all_files()}
        commit_version(store, self._relative_folder, manifest, contents)

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        """A folder that is ours alone as long as the block runs, and is gone then."""
        folder = self.root / layout.STAGING / f"groups-{self.digest[:16]}"
        with awaited_part(folder / _LOCK):
            _empty(folder)  # of a pull that was killed: its files may be those of the version already
            try:
                yield folder
            finally:
                _empty(folder)
                sweep_part(folder / _LOCK)  # last: then another process may begin in the folder
                remove_if_empty(folder)

    def _conflict(self) -> ConflictError:
        return ConflictError(
            f"{self.folder} is another version than these groups of {self.manifest.ref}. "
            "Remove that folder, or pull to another one with --to"
        )


def plan_groups(
    location: Location,
    group_ids: Iterable[bytes | str],
    splits: Iterable[str] | None = None,
    to: str | os.PathLike[str] | None = None,
) -> GroupsPull:
    """Finds groups of a version. Reads its manifest and its group tables; writes nothing but their cache.

    Raises:
        UnknownKeyError: the version lacks one of the splits, or none of them has one of the groups.
        UsageError: no group was asked for.
    """
    content, manifest = read_manifest(location)
    wanted = sorted(set(as_ids(group_ids)))
    if not wanted:
        raise UsageError(f"no group of {manifest.ref} was asked for; see some with: groupstream head {manifest.ref}")
    names = known_splits(manifest, splits)
    found = {name: _rows_of(location, manifest.splits[name], wanted) for name in names}
    _refuse_unknown(manifest, names, wanted, found)
    digest = _digest(hashlib.sha256(content).hexdigest(), names, wanted)
    return GroupsPull(
        location,
        manifest,
        cache_folder() / "groups" / digest[:16] if to is None else folder_of(to),
        digest,
        {name: table for name, table in found.items() if len(table)},
        sum(manifest.splits[name].statistics.num_examples for name in names),
    )


def _rows_of(location: Location, split: SplitInfo, wanted: list[bytes]) -> pa.Table:
    """The rows of a group table with these ids, in its order. Reads a row group at a time."""
    index = IndexFile(location.store, f"{location.folder}/{split.group_table.path}", split.group_table)
    lengths = np.array([len(group_id) for group_id in wanted], np.int64)
    ids = binary_array(b"".join(wanted), lengths).cast(pa.binary())
    names = SCHEMA.names
    found = [batch.filter(pc.is_in(batch.column("group_id"), value_set=ids)) for batch in index.batches(names)]
    return pa.Table.from_batches(found, SCHEMA) if found else SCHEMA.empty_table()


def _refuse_unknown(manifest: Manifest, names: list[str], wanted: list[bytes], found: dict[str, pa.Table]) -> None:
    known = {group_id for table in found.values() for group_id in table["group_id"].to_pylist()}
    if unknown := [group_id for group_id in wanted if group_id not in known]:
        shown = ", ".join(map(shown_id, unknown[:_SHOWN_IDS])) + (", ..." if len(unknown) > _SHOWN_IDS else "")
        raise UnknownKeyError(
            f"{manifest.ref} has no group {shown} in {', '.join(names)}: {len(unknown):,} of the {len(wanted):,} that "
            f"were asked for. See some that it has with: groupstream head {manifest.ref}"
        )


def _digest(manifest_sha256: str, splits: list[str], group_ids: list[bytes]) -> str:
    ids = hashlib.sha256(b"".join(b"%d:%s" % (len(group_id), group_id) for group_id in group_ids)).hexdigest()
    asked = {"format": FORMAT_VERSION, "groups_of": manifest_sha256, "splits": splits, "group_ids": ids}
    return hashlib.sha256(canonical_json(asked)).hexdigest()


def _empty(folder: Path) -> None:
    """Removes all files but the lock."""
    for path in folder.iterdir():
        if not path.name.startswith(_LOCK):
            path.unlink()
