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

import groupstream
from groupstream import layout
from groupstream.binary import binary_array
from groupstream.cache import cache_folder, public_name
from groupstream.commit import claim_version, commit_version, describe_file, read_claim
from groupstream.disk import explaining_errors, free_bytes_in, remove_if_empty, require_room
from groupstream.errors import ConflictError, CorruptError, UnknownKeyError, UsageError
from groupstream.group_order import hash_group_ids, hash_words, shard_of
from groupstream.group_rows import GroupRows, rows_of_batch
from groupstream.group_table import SCHEMA, statistics_of, write_group_table
from groupstream.index_file import IndexFile
from groupstream.manifest import FORMAT_VERSION, Counts, Manifest, Shard, SplitInfo, canonical_json
from groupstream.pulling.copy_groups import check_groups, copy_groups, place_groups
from groupstream.pulling.files import CONNECTIONS, OnBytes, one_at_a_time
from groupstream.pulling.part_file import awaited_part, sweep_part
from groupstream.pulling.version import folder_of, known_splits, read_manifest
from groupstream.refs import Location
from groupstream.selection import as_ids, shown_id
from groupstream.stores import LocalStore
from groupstream.tfds_metadata import dataset_info_json, features_json

SHARD_BYTES = 1 << 30  # about how large a new shard gets
NOT_ASKED_FOR = "not_asked_for"  # the reason in the counts
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
        splits = {name: self._write_split(name, staging, shard_bytes, blocks, on_bytes) for name in self.tables}
        manifest = self._small_manifest(splits)
        for path, content in _tfds_files(manifest).items():
            (staging / path).write_bytes(content)
        files = tuple(describe_file(path, staging / path) for path in _tfds_files(manifest))
        manifest = manifest.model_copy(update={"files": files})
        store, source = LocalStore(self.root), f"{public_name(self.location.store.root)}/{self.location.folder}"
        if not claim_version(store, self._relative_folder, self.digest, {"pulled_from": source}):
            raise self._conflict()
        contents = {file.path: staging / file.path for file in manifest.all_files()}
        commit_version(store, self._relative_folder, manifest, contents)

    def _write_split(
        self, name: str, staging: Path, shard_bytes: int, blocks: ThreadPoolExecutor, on_bytes: OnBytes
    ) -> SplitInfo:
        table = self.tables[name].combine_chunks()
        [batch] = table.to_batches()
        rows = rows_of_batch(batch, 0)
        num_shards = min(-(-int(rows.length_bytes.sum()) // shard_bytes), len(self.manifest.splits[name].shards))
        first_words, _ = hash_words(hash_group_ids(rows.group_ids, self.manifest.seed))
        places = place_groups(rows.length_bytes, shard_of(first_words, num_shards), num_shards)
        paths = [staging / layout.shard_file(name, i, num_shards) for i in range(num_shards)]
        sources = [f"{self.location.folder}/{shard.path}" for shard in self.manifest.splits[name].shards]
        where = f"{self.location.store.root}/{self.location.folder}, some groups of {name}"

        def bring() -> None:
            copy_groups(self.location.store, sources, rows, places, paths, blocks, on_bytes)
            for i, path in enumerate(paths):
                check_groups(path, _cut(rows, places.shard_index, i), where)

        _twice(bring)
        index = staging / layout.group_table_file(name)
        moved = {"shard_index": places.shard_index, "offset_bytes": places.offset_bytes}
        write_group_table(index, [_with_columns(table, moved)])
        shards = tuple(_describe_shard(path, _cut(rows, places.shard_index, i)) for i, path in enumerate(paths))
        return SplitInfo(
            shards=shards, group_table=describe_file(index.name, index), statistics=statistics_of(self.tables[name])
        )

    def _small_manifest(self, splits: dict[str, SplitInfo]) -> Manifest:
        num_examples = sum(split.statistics.num_examples for split in splits.values())
        left = self.num_examples_seen - num_examples
        return self.manifest.model_copy(
            update={
                "digest": self.digest,
                "source": {
                    "kind": "groups",
                    "ref": self.manifest.ref,
                    "digest": self.manifest.digest,
                    "num_groups": sum(split.statistics.num_groups for split in splits.values()),
                },
                "code": {**self.manifest.code, "groupstream": groupstream.__version__},
                "splits": splits,
                "counts": Counts(
                    examples_in=self.num_examples_seen,
                    examples_out=num_examples,
                    dropped={NOT_ASKED_FOR: left} if left else {},
                ),
                "checks": (),  # they were made of the whole version
            }
        )

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


def _twice(bring: Callable[[], None]) -> None:
    """What is wrong may have become so on the way: it is brought once more."""
    try:
        bring()
    except CorruptError:
        bring()


def _cut(rows: GroupRows, shard_index: np.ndarray, shard: int) -> GroupRows:
    start, stop = np.searchsorted(shard_index, [shard, shard + 1]).tolist()
    return rows.cut(start, stop)


def _with_columns(table: pa.Table, columns: dict[str, np.ndarray]) -> pa.Table:
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        field = table.schema.field(place)
        array = pa.Array.from_buffers(field.type, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])
        table = table.set_column(place, field, array)
    return table


def _describe_shard(path: Path, rows: GroupRows) -> Shard:
    return Shard(
        **describe_file(path.name, path).model_dump(),
        num_groups=len(rows),
        num_examples=int(rows.num_examples.sum()),
    )


def _tfds_files(manifest: Manifest) -> dict[str, bytes]:
    info = dataset_info_json(manifest.name, manifest.version, manifest.description, manifest.splits)
    return {
        "features.json": canonical_json(features_json(manifest.features)),
        "dataset_info.json": canonical_json(info),
    }
