"""Shards of Dataset Grouper 0.3.0, read without TensorFlow.

A shard is a TFRecord file, `<prefix>-00000-of-00010<suffix>`; each of its records is a whole group, as described in
`sequence_example`. The key by which the examples were grouped is not in the files.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from groupstream.dataset_grouper.group_naming import ByFeature, Name, by_position, two_names
from groupstream.dataset_grouper.sequence_example import HEAD_BYTES, find_steps, iter_records, split_groups
from groupstream.errors import ExampleError, SourceError
from groupstream.examples.decoding import decode_examples
from groupstream.features import Features
from groupstream.long_record import check_record, checked_length
from groupstream.tfrecord import HEADER_BYTES, OVERHEAD_BYTES, find_frames, unframe

_BLOCK_BYTES = 8 << 20

Pattern = str | os.PathLike[str]


def read_groups(
    files: Pattern | Sequence[Pattern], group_feature: str | None = None, block_bytes: int = _BLOCK_BYTES
) -> Iterator[ShardGroup]:
    """The groups of Dataset Grouper's shards, in the order in which they stand there.

    Every byte is checked against its CRC before an example of it is given. Memory is bounded by a few blocks, or a few
    times one example: a group larger than a block is read twice, first to check it, since its only CRC is at the end.

    Args:
        files: local files, or patterns such as "/data/train-*"; the files of a pattern are read by name.
        group_feature: what names the groups: a feature, text or integer, with one value in all examples of a group.
            Default: `<file name>:<number of the group in the file>`, the same wherever the files lie. An empty group,
            which Dataset Grouper writes for a single example of over 2 GB, is always named so.
        block_bytes: about how much is read at once.

    Raises:
        SourceError: no such file, or two of one name.
        CorruptError: the bytes are not those that were written, or not by Dataset Grouper.
        ExampleError: `group_feature` is missing, or has two values in one group.
    """
    paths = _expand([files] if isinstance(files, str | os.PathLike) else files)
    name = by_position if group_feature is None else ByFeature(group_feature)
    return (group for path in paths for group in _read_file(_File(path), name, max(block_bytes, HEAD_BYTES)))


class ShardGroup:
    """One group of a shard. It holds the block that it was read with: keep what you need of it, not all groups.

    Attributes:
        id: what it is called; see `read_groups`.
        num_bytes: size of the record that holds it.
    """

    def __init__(self, id: bytes, num_bytes: int, content: _Content) -> None:
        self.id = id
        self.num_bytes = num_bytes
        self._content = content

    @property
    def name(self) -> str:
        """The id as text; bytes that are not UTF-8 are escaped."""
        return self.id.decode(errors="backslashreplace")

    def records(self) -> Iterator[pa.LargeBinaryArray]:
        """Its serialised tf.train.Examples, a block at a time. An empty group has none."""
        return self._content.records()

    def batches(self, features: Features) -> Iterator[pa.RecordBatch]:
        """Its examples, decoded, a block at a time. `infer_features` finds the features where nothing describes them.

        Raises:
            ExampleError: a feature that is not there, or not of the type or shape that `features` says.
        """
        return self._content.batches(features)

    def __repr__(self) -> str:
        return f"<groupstream.ShardGroup {self.name!r}: {self.num_bytes:,} bytes>"


class _Content(Protocol):
    def records(self) -> Iterator[pa.LargeBinaryArray]: ...
    def batches(self, features: Features) -> Iterator[pa.RecordBatch]: ...


def _expand(patterns: Sequence[Pattern]) -> list[Path]:
    paths: list[Path] = []
    for given in patterns:
        pattern = os.fspath(given)
        found = [pattern] if Path(pattern).is_file() else sorted(filter(os.path.isfile, glob.glob(pattern)))
        if not found:
            raise SourceError(f"no file matches {pattern}; give paths or patterns of Dataset Grouper's shards")
        paths += map(Path, found)
    by_name: dict[str, Path] = {}
    for path in paths:
        if (other := by_name.setdefault(path.name, path)) is not path:
            raise SourceError(f"{other} and {path} have one name, and groups are named by it; read them one by one")
    return paths


def _read_file(file: _File, name: Name, block_bytes: int) -> Iterator[ShardGroup]:
    position, number = 0, 0
    while position < file.size_bytes:
        data = file.read(position, block_bytes)
        frames, where = find_frames(data), f"{file.path}, byte {position}"
        if frames.end:
            block = _Block(*split_groups(unframe(data[: frames.end], where), where))
            ids = name(block.records, block.bounds, file.path.name, number)
            for i, (id, num_bytes) in enumerate(zip(ids, frames.lengths.tolist(), strict=True)):
                yield ShardGroup(id, num_bytes, _Part(block, i))
            position, number = position + frames.end, number + len(ids)
        else:
            group = _large_group(file, position, data, name, number, block_bytes)
            yield group
            position, number = position + OVERHEAD_BYTES + group.num_bytes, number + 1


def _large_group(file: _File, position: int, data: bytes, name: Name, number: int, block_bytes: int) -> ShardGroup:
    where = f"{file.path}, byte {position}"
    length = checked_length(data, file.size_bytes - position, where)
    check_record(file.read, position, length, where, block_bytes)
    steps = HEADER_BYTES + find_steps(data[HEADER_BYTES:], 0, length, where)
    content = _Large(file, (position + steps, position + HEADER_BYTES + length), name, number, block_bytes)
    return ShardGroup(content.id, length, content)


class _File:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.size_bytes = path.stat().st_size

    def read(self, offset: int, length: int) -> bytes:
        with open(self.path, "rb") as file:
            file.seek(offset)
            return file.read(length)


class _Block:
    """The examples of groups that were read together: group i has those from bounds[i] to bounds[i + 1]."""

    def __init__(self, records: pa.LargeBinaryArray, bounds: np.ndarray) -> None:
        self.records = records
        self.bounds = bounds
        self._decoded: tuple[Features, pa.RecordBatch] | None = None

    def decoded(self, features: Features) -> pa.RecordBatch:
        if self._decoded is None or self._decoded[0] is not features:
            self._decoded = features, decode_examples(self.records, features)
        return self._decoded[1]


class _Part:
    """The content of a group that was read with others."""

    def __init__(self, block: _Block, index: int) -> None:
        self._block = block
        self._start, stop = block.bounds[index : index + 2].tolist()
        self._count = stop - self._start

    def records(self) -> Iterator[pa.LargeBinaryArray]:
        if self._count:
            yield self._block.records.slice(self._start, self._count)

    def batches(self, features: Features) -> Iterator[pa.RecordBatch]:
        if self._count:
            yield self._block.decoded(features).slice(self._start, self._count)


class _Large:
    """The content of a group that is larger than a block."""

    def __init__(self, file: _File, steps: tuple[int, int], name: Name, number: int, block_bytes: int) -> None:
        self._file, self._steps, self._name, self._number, self._block_bytes = file, steps, name, number, block_bytes
        self.id = self._id_of(next(self._blocks()))

    def records(self) -> Iterator[pa.LargeBinaryArray]:
        for block in self._blocks():
            if (other := self._id_of(block)) != self.id:
                raise ExampleError(two_names(f"{self._file.path.name}:{self._number}", [self.id, other]))
            yield block

    def batches(self, features: Features) -> Iterator[pa.RecordBatch]:
        return (decode_examples(block, features) for block in self.records())

    def _blocks(self) -> Iterator[pa.LargeBinaryArray]:
        where = f"{self._file.path}, the group of byte {self._steps[0]}"
        return iter_records(self._file.read, *self._steps, where, self._block_bytes)

    def _id_of(self, block: pa.LargeBinaryArray) -> bytes:
        [id] = self._name(block, np.array([0, len(block)]), self._file.path.name, self._number)
        return id
