"""A published version of groupstream, to be partitioned anew."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import ConfigDict, Field

from groupstream import CorruptError, Feature, SourceError, SpecError
from groupstream.binary import byte_lengths, byte_offsets, gather, joined
from groupstream.dataset import Dataset, open_dataset
from groupstream.examples.decoding import decode_examples
from groupstream.examples.encoding import encode_examples, encode_group_ids
from groupstream.features import GROUP_ID, Features
from groupstream.manifest import SplitInfo
from groupstream.stores import is_url
from groupstream.tfrecord import iter_record_blocks
from sources.allowed import refuse_outside_any
from sources.choice import SELECTION_HELP, Selection
from sources.records import DECODES_HELP, RecordSelection, read_records
from sources.selection import chosen_features, hint
from sources.source import Piece, Source, SourceBatch

_GROUP_ID_FEATURE = Feature(dtype="bytes")


class GroupstreamVersion(Source):
    """A split of a published version, to be grouped in another way. A piece is a shard.

    Unless features are chosen, the examples are passed through byte for byte: only the old group id, with which each
    record ends, is cut off.
    """

    model_config = ConfigDict(title="Version")

    kind: Literal["groupstream"] = "groupstream"
    places: ClassVar[frozenset[str]] = frozenset(["ref", "root"])
    ref: str = Field(
        min_length=1,
        description='Such as "fedccnews@1.0.0" or "fedccnews@latest", or the path or address of its folder.',
    )
    root: str | None = Field(
        None, description="The folder or bucket to look the ref up in. Default: $GROUPSTREAM_ROOT, or ~/groupstream."
    )
    split: str = Field("train", description="Which of its splits to read.")
    group_feature: str | None = Field(
        None, min_length=1, description="Keeps the old group id, as a feature of this name that holds bytes."
    )
    features: Selection = Field(None, description=f"{SELECTION_HELP} {DECODES_HELP}")

    def available_features(self) -> Features:
        """See `Source.available_features`."""
        return chosen_features(self.features, self._stored_features(self._dataset()))

    def pieces(self) -> list[Piece]:
        """See `Source.pieces`. They name the version that the ref leads to now: `latest` may lead elsewhere later."""
        dataset = self._dataset()
        shards = self._split_of(dataset).shards
        if self.root is not None and not is_url(dataset.location):
            refuse_outside_any((f"{dataset.location}/{shard.path}" for shard in shards), "source.root")
        return [
            Piece(i, shard.path, (dataset.location, shard.path, shard.size_bytes)) for i, shard in enumerate(shards)
        ]

    def identity(self) -> dict[str, Any]:
        """The digest of the build, and of its shards. See `Source.identity`."""
        dataset = self._dataset()
        split = self._split_of(dataset)
        return {
            "ref": dataset.manifest.ref,
            "digest": dataset.manifest.digest,
            "num_bytes": split.statistics.num_bytes,
            "fingerprint": hashlib.sha256("\n".join(shard.sha256 for shard in split.shards).encode()).hexdigest(),
        }

    def known_num_examples(self) -> int | None:
        """See `Source.known_num_examples`."""
        return self._split_of(self._dataset()).statistics.num_examples

    def read(self, piece: Piece, features: Features, needed: frozenset[str]) -> Iterator[SourceBatch]:
        """See `Source.read`."""
        location, path, size_bytes = piece.part
        dataset = _opened(location)
        selection = None if self.features is None else RecordSelection(self.features, self._stored_features(dataset))
        return read_records(self._records(dataset, path, size_bytes), features, needed, selection, piece.label)

    def _records(self, dataset: Dataset, path: str, size_bytes: int) -> Iterator[pa.LargeBinaryArray]:
        where = f"{dataset.location}/{path}"
        read = functools.partial(dataset.read_file, path)
        try:
            for records in iter_record_blocks(read, 0, size_bytes, where):
                yield without_group_ids(records, where, self.group_feature)
        except CorruptError as error:
            raise SourceError(str(error)) from error

    def _stored_features(self, dataset: Dataset) -> dict[str, Feature]:
        stored = dict(dataset.features)
        if self.group_feature is None:
            return stored
        if self.group_feature in {*stored, GROUP_ID}:
            raise SpecError(
                f"source.group_feature {self.group_feature!r} is the name of a feature of "
                f"{dataset.manifest.ref} already; choose another one"
            )
        return {**stored, self.group_feature: _GROUP_ID_FEATURE}

    def _dataset(self) -> Dataset:
        return open_dataset(self.ref, self.root)

    def _split_of(self, dataset: Dataset) -> SplitInfo:
        if self.split not in dataset:
            raise SpecError(
                f"source.split {self.split!r} is not in {dataset.manifest.ref}; {hint(self.split, list(dataset))}"
            )
        return dataset.manifest.splits[self.split]


def without_group_ids(
    records: pa.LargeBinaryArray, where: str, group_feature: str | None = None
) -> pa.LargeBinaryArray:
    """The examples without the group id that each of them ends with. They are not decoded.

    Args:
        group_feature: the name of a feature that holds the id instead; None to leave it out.

    Raises:
        SourceError: a record that does not end with its group id, as `encode_group_ids` writes it.
    """
    group_ids = decode_examples(records, {GROUP_ID: _GROUP_ID_FEATURE}).column(0)
    endings = encode_group_ids(group_ids)
    offsets = byte_offsets(records)
    borders = offsets[1:] - byte_lengths(endings)
    data = records.buffers()[2]
    if (borders < offsets[:-1]).any() or not gather(data, borders, offsets[1:]).equals(endings):
        raise SourceError(
            f"{where}: a record does not end with its group id, so this version was not written by groupstream. "
            "Read the folder with kind: tfds"
        )
    examples = gather(data, offsets[:-1], borders)
    if group_feature is None:
        return examples
    column = pa.record_batch({group_feature: group_ids})
    return joined(examples, encode_examples(column, {group_feature: _GROUP_ID_FEATURE}))


@functools.lru_cache(maxsize=4)
def _opened(location: str) -> Dataset:
    """A version never changes, and each piece asks for it."""
    return open_dataset(location)
