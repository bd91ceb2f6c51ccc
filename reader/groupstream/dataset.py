"""Versions, splits and groups, opened for reading."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from groupstream import layout
from groupstream.arrow_copy import arrow_folders, require_arrow_copy
from groupstream.arrow_reader import ArrowCopies
from groupstream.cache import through_cache
from groupstream.chunk import Chunk, cut_in_chunks, work_ahead
from groupstream.errors import UnknownKeyError
from groupstream.features import Features
from groupstream.framework_methods import FrameworkMethods
from groupstream.group import Group, single_group
from groupstream.group_rows import GroupRows
from groupstream.index import GroupIndex, open_index
from groupstream.index_file import IndexFile
from groupstream.manifest import Manifest, SplitInfo
from groupstream.refs import Location, resolve
from groupstream.selection import as_id, as_ids
from groupstream.shard_reader import ShardReader
from groupstream.steps import StreamSteps
from groupstream.stored import local_path, read_manifest_file, read_stored
from groupstream.stream import GroupIterator, GroupStream


def open_dataset(
    ref: str | os.PathLike[str], root: str | os.PathLike[str] | None = None, *, arrow: bool = False
) -> Dataset:
    """Opens a published version. Reads its manifest only.

    Args:
        ref: `name@version`, `name@alias`, `name`, or the path of a version's folder.
        root: the store to look refs up in. Default: $GROUPSTREAM_ROOT, or ~/groupstream.
        arrow: decoded examples come from the Arrow copy in the cache, mapped into memory; see `arrow_copy`.

    Raises:
        RefNotFoundError: nothing published is named so, or it is deleted.
        UsageError: it has no Arrow copy.
        CorruptError: the manifest was changed, is gone, or is of a newer format.

    Warns:
        DeprecatedVersionWarning: it should not be used any more.
    """
    return open_location(resolve(ref, root), arrow=arrow)


def open_location(location: Location, *, arrow: bool = False) -> Dataset:
    """Opens a version of which it is known where it lies, whatever the catalog says of it."""
    location = through_cache(location)
    content = read_manifest_file(location.store, location.folder)
    manifest = Manifest.from_json(content, f"{location.store.root}/{location.folder}/{layout.MANIFEST}")
    if arrow:
        require_arrow_copy(manifest, manifest.splits)
    return Dataset(location, manifest, arrow)


class Dataset(Mapping[str, "Split"]):
    """A published version: a mapping of split names to splits."""

    def __init__(self, location: Location, manifest: Manifest, arrow: bool = False) -> None:
        self._location = location
        self._arrow = arrow
        self.manifest = manifest

    @property
    def location(self) -> str:
        """The folder it lies in."""
        return str(self._location)

    @property
    def features(self) -> Features:
        """The features of an example."""
        return self.manifest.features

    @property
    def stored_at(self) -> Location:
        """The store that it is read from, and its folder there."""
        return self._location

    def read_file(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """The bytes of a file of the version, or of a range of it.

        Raises:
            CorruptError: it is missing.
        """
        return read_stored(self._location.store, f"{self._location.folder}/{path}", offset, length)

    def __getitem__(self, name: str) -> Split:
        if name not in self.manifest.splits:
            raise UnknownKeyError(f"{self.manifest.ref} has no split {name!r}; it has {', '.join(self)}")
        if self._arrow:
            require_arrow_copy(self.manifest, [name])
        return Split(self._location, self.manifest, name, self._arrow)

    def __contains__(self, name: object) -> bool:
        return name in self.manifest.splits

    def from_shards(self) -> Dataset:
        """The same version, without its Arrow copy."""
        return Dataset(self._location, self.manifest)

    def __iter__(self) -> Iterator[str]:
        return iter(self.manifest.splits)

    def __len__(self) -> int:
        return len(self.manifest.splits)

    def __repr__(self) -> str:
        return f"<groupstream.Dataset {self.manifest.ref}: {', '.join(self)}>"


class Split(StreamSteps, FrameworkMethods):
    """The groups of one split: a stream of them, or one by id. The steps of a `GroupStream` are here too."""

    def __init__(self, location: Location, manifest: Manifest, name: str, arrow: bool = False) -> None:
        self._location = location
        self._arrow = arrow
        self._manifest = manifest
        self.name = name

    @property
    def ref(self) -> str:
        """`name@version` of the version that it belongs to."""
        return self._manifest.ref

    @property
    def info(self) -> SplitInfo:
        """Its files and figures, from the manifest."""
        return self._manifest.splits[self.name]

    @property
    def seed(self) -> int:
        """The key of the group hash."""
        return self._manifest.seed

    @property
    def features(self) -> Features:
        """The features of an example."""
        return self._manifest.features

    @property
    def num_groups(self) -> int:
        """How many groups it has. No I/O."""
        return self.info.statistics.num_groups

    @property
    def num_examples(self) -> int:
        """How many examples it has. No I/O."""
        return self.info.statistics.num_examples

    @property
    def location(self) -> str:
        """The folder of its version."""
        return str(self._location)

    @property
    def is_local(self) -> bool:
        """Whether its first shard is a file of this machine. No I/O."""
        return not self._paths or local_path(self._location.store, self._paths[0]) is not None

    def group_table(self, columns: list[str] | None = None) -> pa.Table:
        """One row per group in stored order: ids, sizes, places. Reads the index, never the data."""
        return self.index_file.read(columns)

    def stream(self) -> GroupStream:
        """All groups in stored order, which is a random order; to be filtered, shuffled, sharded."""
        return GroupStream(self)

    _as_stream = stream

    def __iter__(self) -> GroupIterator:
        """All groups in stored order. Reads the index a part at a time."""
        return iter(self.stream())

    def __len__(self) -> int:
        return self.num_groups

    def __contains__(self, group_id: bytes | str) -> bool:
        return bool(self.index.find([as_id(group_id)])[0] >= 0)

    def group(self, group_id: bytes | str) -> Group:
        """One group by its id. One look-up in the index; the data is read when the group is, in one range.

        Raises:
            UnknownKeyError: no such group. It is a KeyError.
        """
        return single_group(self.reader(), self.index.rows(self.rows_of([as_id(group_id)])))

    def groups(self, group_ids: Iterable[bytes | str]) -> Iterator[Group]:
        """Groups by their ids, in the order of the ids. Groups that lie near each other are read in one request.

        Raises:
            UnknownKeyError: an id that the split does not have; before anything is read.
        """
        return self.groups_of(self.index.rows(self.rows_of(as_ids(group_ids))))

    def groups_of(self, rows: GroupRows, features: Sequence[str] | None = None) -> Iterator[Group]:
        """The groups of some rows, read and decoded together."""
        for chunk in work_ahead(cut_in_chunks(self.reader(features), [rows]), Chunk.decode, self.stream().chunks_ahead):
            yield from chunk.groups()

    def rows_of(self, group_ids: Sequence[bytes]) -> np.ndarray:
        """int64[len(group_ids)]: the numbers of these groups in stored order. Reads the index only.

        Raises:
            UnknownKeyError: an id that the split does not have.
        """
        rows = self.index.find(group_ids)
        unknown = [group_ids[i] for i in np.flatnonzero(rows < 0).tolist()]
        if unknown:
            others = f" (and {len(unknown) - 1} more of the ids asked for)" if len(unknown) > 1 else ""
            raise UnknownKeyError(
                f"{self.ref} has no group {_shown(unknown[0])}{others} in split {self.name}; "
                f"see some with: groupstream head {self.ref} --split {self.name}"
            )
        return rows

    def features_named(self, names: Sequence[str]) -> Features:
        """Some features, in the order of the names.

        Raises:
            UnknownKeyError: a name that no feature has.
        """
        for name in names:
            if not isinstance(name, str) or name not in self.features:
                raise UnknownKeyError(f"{self.ref} has no feature {name!r}; it has {', '.join(self.features)}")
        return {name: self.features[name] for name in names}

    def reader(self, features: Sequence[str] | None = None) -> ShardReader:
        """What reads its shards, and which features it decodes; default all."""
        chosen = self.features if features is None else self.features_named(features)
        arrow = self._arrow_copies
        if arrow is not None and features is not None:
            arrow = arrow.select(features)
        return ShardReader(self._location.store, self._paths, chosen, arrow)

    @functools.cached_property
    def _paths(self) -> tuple[str, ...]:
        """Of its shards; one split may have thousands, and each look-up of a group needs them."""
        return tuple(f"{self._location.folder}/{shard.path}" for shard in self.info.shards)

    @functools.cached_property
    def _arrow_copies(self) -> ArrowCopies | None:
        return ArrowCopies(arrow_folders(self._manifest, self.name), self.features) if self._arrow else None

    @functools.cached_property
    def index_file(self) -> IndexFile:
        """Its group table, checked."""
        file = self.info.group_table
        return IndexFile(self._location.store, f"{self._location.folder}/{file.path}", file)

    @functools.cached_property
    def label_file(self) -> IndexFile | None:
        """Its label table, checked; its columns are those of `group_table.LABEL_SCHEMA`. None where it has none."""
        path = layout.label_table_file(self.name)
        file = next((file for file in self._manifest.files if file.path == path), None)
        return None if file is None else IndexFile(self._location.store, f"{self._location.folder}/{path}", file)

    @functools.cached_property
    def index(self) -> GroupIndex:
        """Its group table for random access. A large one is copied to the cache, once."""
        return open_index(self.index_file, self.seed)

    def __getstate__(self) -> dict[str, Any]:
        """Travels to other processes without what was opened here."""
        return {name: getattr(self, name) for name in ("_location", "_arrow", "_manifest", "name")}

    def __repr__(self) -> str:
        sizes = f"{self.num_groups} groups, {self.num_examples} examples"
        return f"<groupstream.Split {self.ref} {self.name}: {sizes}>"


def _shown(group_id: bytes) -> str:
    try:
        return repr(group_id.decode())
    except UnicodeDecodeError:
        return repr(group_id)
