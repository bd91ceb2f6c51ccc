"""The Arrow copy of a version in the cache: its examples decoded once, to be mapped into memory by any process.

<cache>/arrow/<sha256 of the shard>-<hash of the features>/
  examples.arrow          all examples of the shard in stored order: an Arrow IPC file, not compressed
  batches.npy             int64[num_batches, 4]: first row, first byte, end byte and CRC32C of each record batch
  group_offset_bytes.npy  int64[num_groups], ascending: where each group begins in the shard
  group_first_rows.npy    int64[num_groups]: and where among the examples
  checksums.json          sizes and CRC32Cs of these files

A record batch holds what one chunk of the stored order holds: whole groups, of about 4 MiB or of one row group of the
index, or a block of 4 MiB of a larger group. So reading in stored order copies nothing.

It is made only of bytes whose CRCs were checked, and kept only if they have the SHA-256 that the manifest gives the
shard. `arrow_reader` checks each record batch before its first use in a process.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import google_crc32c
import numpy as np
import pyarrow as pa

from groupstream.cache import cache_folder
from groupstream.cached_folder import has_sizes, make_cached_folder
from groupstream.chunk import Chunk, cut_in_chunks
from groupstream.disk import ANOTHER_CACHE, explaining_errors, free_bytes_in
from groupstream.errors import PublishError, UnknownKeyError, UsageError
from groupstream.features import Features, arrow_schema
from groupstream.group_rows import GroupRows
from groupstream.manifest import Manifest, Shard
from groupstream.pulling.files import OnBytes, one_at_a_time
from groupstream.stores.hashed import ReadHash
from groupstream.stores.wrapped import WrappedStore

if TYPE_CHECKING:
    from groupstream.dataset import Dataset, Split

EXAMPLES, BATCHES = "examples.arrow", "batches.npy"
OFFSETS, FIRST_ROWS = "group_offset_bytes.npy", "group_first_rows.npy"
_LAYOUT = 1  # raise it when the files of a copy change
_SHARDS_AT_ONCE = min(4, os.cpu_count() or 1)  # each holds a decoded chunk in memory: about 50 MB


def arrow_folders(manifest: Manifest, split: str) -> tuple[Path | None, ...]:
    """Where the copy of each shard is, or would be; None for a shard without groups, which needs none. No I/O."""
    described = json.dumps([_LAYOUT, [[name, f.model_dump(mode="json")] for name, f in manifest.features.items()]])
    suffix = hashlib.sha256(described.encode()).hexdigest()[:12]
    base = cache_folder() / "arrow"
    return tuple(base / f"{s.sha256}-{suffix}" if s.num_groups else None for s in manifest.splits[split].shards)


def has_arrow_copy(manifest: Manifest, split: str) -> bool:
    """Whether every shard of a split has its copy, of the right sizes. Reads a small file for each."""
    return all(folder is None or has_sizes(folder) for folder in arrow_folders(manifest, split))


def require_arrow_copy(manifest: Manifest, splits: Iterable[str]) -> None:
    """Refuses where none of these splits has a copy.

    Raises:
        UsageError: with the command that makes it.
    """
    names = list(splits)
    if not any(has_arrow_copy(manifest, name) for name in names):
        raise UsageError(
            f"{manifest.ref} has no whole Arrow copy of split {', '.join(names)} in {cache_folder() / 'arrow'}; "
            f"make it with: groupstream pull {manifest.ref} --arrow"
        )


def make_arrow_copy(
    dataset: Dataset, splits: Iterable[str] | None = None, on_bytes: OnBytes = lambda count: None
) -> None:
    """Makes the Arrow copies that are missing, checks every byte of those that are there, and makes damaged ones anew.

    Several processes may do it at once; each shard is copied by one. A core does about 90 MB of shards a second.

    Args:
        splits: only these; default all.
        on_bytes: called with the bytes of each shard that is done, one call at a time.

    Raises:
        UnknownKeyError: the version lacks one of the splits.
        CorruptError: a shard is not what was written.
        PublishError: the cache cannot be written, or has no room.
    """
    plan_arrow_copy(dataset, splits).run(on_bytes)


@dataclass(frozen=True)
class ArrowCopy:
    """What is to be copied.

    Attributes:
        ref: of the version.
        source_bytes: of all shards, those included whose copy is there: what `on_bytes` adds up to.
        num_bytes: about how much the copies that are missing will take on the disk: the first chunk of each split is
            decoded, and the rest is taken to be like it.
    """

    ref: str
    source_bytes: int
    num_bytes: int
    shards: tuple[_ShardCopy, ...] = field(repr=False)

    def run(self, on_bytes: OnBytes = lambda count: None, *, free_bytes: Callable[[Path], int] = free_bytes_in) -> None:
        """Makes them.

        Args:
            free_bytes: tells how much room there is in a folder.

        Raises:
            CorruptError, PublishError: see `make_arrow_copy`.
        """
        folder = cache_folder() / "arrow"
        _require_room(self.ref, folder, self.num_bytes, free_bytes)
        done = one_at_a_time(on_bytes)

        def copy(shard: _ShardCopy) -> None:
            make_cached_folder(shard.folder, shard.write)
            done(shard.shard.size_bytes)

        pool = ThreadPoolExecutor(_SHARDS_AT_ONCE, "groupstream-arrow")
        with explaining_errors(folder, f"{ANOTHER_CACHE}; shards that are done are kept"):
            try:
                for _ in pool.map(copy, self.shards):
                    pass
            finally:
                pool.shutdown(cancel_futures=True)


def plan_arrow_copy(dataset: Dataset, splits: Iterable[str] | None = None) -> ArrowCopy:
    """Tells what copies a version still needs. Reads one chunk of each split; writes nothing.

    Raises:
        UnknownKeyError: the version lacks one of the splits.
    """
    names = list(dataset) if splits is None else list(dict.fromkeys(splits))
    for name in names:
        if name not in dataset:
            raise UnknownKeyError(f"{dataset.manifest.ref} has no split {name!r}; it has {', '.join(dataset)}")
    plain = dataset.from_shards()
    by_split = {name: list(_shards_of(plain[name], dataset.manifest)) for name in names}
    shards = tuple(shard for found in by_split.values() for shard in found)
    num_bytes = sum(map(_missing_bytes, by_split.values()))
    return ArrowCopy(dataset.manifest.ref, sum(s.shard.size_bytes for s in shards), num_bytes, shards)


def _shards_of(split: Split, manifest: Manifest) -> Iterator[_ShardCopy]:
    """One for each shard that has groups."""
    first = 0
    folders = arrow_folders(manifest, split.name)
    for number, (shard, folder) in enumerate(zip(split.info.shards, folders, strict=True)):
        if folder is not None:
            yield _ShardCopy(split, shard, number, first, folder)
        first += shard.num_groups


def _missing_bytes(shards: list[_ShardCopy]) -> int:
    missing = [copy.shard for copy in shards if not has_sizes(copy.folder)]
    if not missing:
        return 0
    source_bytes, arrow_bytes = shards[0].sample()
    expected = sum(s.size_bytes for s in missing) * arrow_bytes / source_bytes
    return int(expected) + 16 * sum(s.num_groups for s in missing)


@dataclass(frozen=True)
class _ShardCopy:
    """The copy of one shard."""

    split: Split
    shard: Shard
    number: int  # of the shard
    first_group: int  # its number in stored order
    folder: Path

    def write(self, folder: Path) -> None:
        """Decodes the shard into files of this folder."""
        reader = self.split.reader()
        hashed = ReadHash()
        store = WrappedStore(reader.store, hashed.note)
        chunks = cut_in_chunks(replace(reader, store=store), self._rows())
        with open(folder / EXAMPLES, "wb") as file:
            writer = _ExamplesWriter(file, reader.features)
            rows = [writer.write(chunk) for chunk in chunks]
            writer.close()
        hashed.require(f"{store.root}/{reader.paths[self.number]}", self.shard.sha256)
        np.save(folder / BATCHES, _with_crcs(folder / EXAMPLES, writer.batches))
        offsets, counts = (np.concatenate(columns) for columns in zip(*rows, strict=True))
        np.save(folder / OFFSETS, offsets.astype("<i8"))
        np.save(folder / FIRST_ROWS, (np.cumsum(counts) - counts).astype("<i8"))

    def sample(self) -> tuple[int, int]:
        """Bytes of the first groups in the shard, and of their examples in Arrow."""
        rows = next(self._rows())
        chunk = next(cut_in_chunks(self.split.reader(), [rows]))
        if not chunk.is_large:
            return int(chunk.rows.length_bytes.sum()), chunk.examples.nbytes
        first = next(self.split.reader().blocks_of(chunk.rows))
        return max(first.nbytes, 1), self.split.reader().decode(first).nbytes

    def _rows(self) -> Iterator[GroupRows]:
        return self.split.index_file.rows(self.first_group, self.first_group + self.shard.num_groups)


class _ExamplesWriter:
    """Writes chunks as record batches, and notes where each went.

    Attributes:
        batches: first row, first byte and end byte of each.
    """

    def __init__(self, file: Any, features: Features) -> None:
        self._file = file
        self._writer = pa.ipc.new_file(file, arrow_schema(features))
        self._num_rows = 0
        self.batches: list[tuple[int, int, int]] = []

    def write(self, chunk: Chunk) -> tuple[np.ndarray, np.ndarray]:
        """Writes the examples of a chunk; gives the columns offset_bytes and num_examples of its groups."""
        for batch in chunk.blocks():
            self._writer.write_batch(batch)
            end = self._file.tell()
            self.batches.append((self._num_rows, end - pa.ipc.get_record_batch_size(batch), end))
            self._num_rows += len(batch)
        return chunk.rows.offset_bytes, chunk.rows.num_examples

    def close(self) -> None:
        """Writes the end of the file."""
        self._writer.close()


def _with_crcs(path: Path, batches: list[tuple[int, int, int]]) -> np.ndarray:
    """int64[num_batches, 4]: a fourth column with the CRC32C of the bytes of each batch."""
    with open(path, "rb") as file:
        rows = []
        for first_row, start, end in batches:
            file.seek(start)
            rows.append((first_row, start, end, google_crc32c.value(file.read(end - start))))
    return np.array(rows, "<i8")


def _require_room(ref: str, folder: Path, needed: int, free_bytes: Callable[[Path], int]) -> None:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if needed > (free := free_bytes(there)):
        raise PublishError(
            f"the Arrow copy of {ref} needs about {needed:,} bytes in {folder}, {free:,} are free there. "
            "Make room, copy fewer splits, or choose another cache with $GROUPSTREAM_CACHE"
        )
