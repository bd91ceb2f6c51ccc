"""Shards of Dataset Grouper, the library of the paper."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import ConfigDict, Field

from groupstream import CorruptError, ExampleError, Feature, SourceError, SpecError
from groupstream.binary import joined, repeated
from groupstream.dataset_grouper import ShardGroup, read_groups
from groupstream.examples.encoding import encode_examples
from groupstream.feature_inference import infer_features
from groupstream.features import Features
from sources.batch_size import BATCH_BYTES, MAX_BATCH_EXAMPLES
from sources.choice import SELECTION_HELP, Selection
from sources.files import SourceFile, find_files, first_line, identity_of, names_of
from sources.records import DECODES_HELP, RecordSelection, read_records
from sources.selection import chosen_features
from sources.source import Piece, Source, SourceBatch

_GROUP_FEATURE = Feature(dtype="string")


class DatasetGrouper(Source):
    """Shards that Dataset Grouper 0.3.0 has written; a piece is a shard.

    The key by which it grouped is not in its files: a group is named by its shard and its number there, such as
    `train-00000-of-00010:7`, and each example gets this name as a feature to group by. An empty group, which it writes
    for an example of over 2 GB, has no example and so is not there. Unless features are chosen, the examples are
    passed through byte for byte.
    """

    model_config = ConfigDict(title="Dataset Grouper")

    kind: Literal["dataset_grouper"] = "dataset_grouper"
    places: ClassVar[frozenset[str]] = frozenset(["paths"])
    paths: list[str] = Field(min_length=1, description='Its shards, or patterns, such as "grouped/train-*".')
    group_feature: str = Field(
        "group", min_length=1, description="The name of the feature that holds the name of the group."
    )
    sample_bytes: int = Field(
        64 << 20,
        ge=1,
        description="How much of the first shard shows the types of the features. Nothing in the files describes them.",
    )
    features: Selection = Field(None, description=f"{SELECTION_HELP} {DECODES_HELP}")

    def available_features(self) -> Features:
        """Looks at the first `sample_bytes` of examples. See `Source.available_features`."""
        return chosen_features(self.features, self._stored_features())

    def pieces(self) -> list[Piece]:
        """See `Source.pieces`."""
        files = self._files()
        return [Piece(i, name, file) for i, (name, file) in enumerate(zip(names_of(files), files, strict=True))]

    def identity(self) -> dict[str, Any]:
        """See `Source.identity`."""
        return identity_of(self._files())

    def read(self, piece: Piece, features: Features, needed: frozenset[str]) -> Iterator[SourceBatch]:
        """See `Source.read`."""
        selection = None if self.features is None else RecordSelection(self.features, self._stored_features())
        return read_records(self._records(piece), features, needed, selection, piece.label)

    def _records(self, piece: Piece) -> Iterator[pa.LargeBinaryArray]:
        for names, counts, records in _joined_groups(_groups(piece.part), piece.label):
            column = pa.record_batch({self.group_feature: repeated(names, counts).cast(pa.string())})
            yield joined(records, encode_examples(column, {self.group_feature: _GROUP_FEATURE}))

    def _stored_features(self) -> dict[str, Feature]:
        """Any of them may be missing in what was not looked at."""
        files = self._files()
        try:
            found = infer_features(_first_bytes(_groups(files[0]), self.sample_bytes))
        except (CorruptError, ExampleError) as error:
            raise SourceError(f"{files[0]}: {first_line(error)}. Check source.paths") from error
        if self.group_feature in found:
            raise SpecError(
                f"source.group_feature {self.group_feature!r} is the name of a feature of the examples; "
                "choose another one"
            )
        return {
            **{name: feature.model_copy(update={"optional": True}) for name, feature in found.items()},
            self.group_feature: _GROUP_FEATURE,
        }

    def _files(self) -> list[SourceFile]:
        files = find_files(self.paths)
        if elsewhere := [file for file in files if file.local_path is None]:
            raise SourceError(f"{elsewhere[0]} is not on this machine; copy the shards of Dataset Grouper here first")
        return files


def _groups(file: SourceFile) -> Iterator[ShardGroup]:
    try:
        yield from read_groups(Path(file.address))
    except (CorruptError, OSError) as error:
        what = str(error).rpartition(". ")[0] or str(error)  # without the way out of a published version
        raise SourceError(f"cannot read {file}: {what}. Write the shard again with Dataset Grouper") from error


def _first_bytes(groups: Iterable[ShardGroup], num_bytes: int) -> Iterator[pa.LargeBinaryArray]:
    for group in groups:
        for records in group.records():
            yield records
            num_bytes -= records.nbytes
            if num_bytes <= 0:
                return


def _joined_groups(
    groups: Iterable[ShardGroup], shard: str
) -> Iterator[tuple[list[bytes], np.ndarray, pa.LargeBinaryArray]]:
    """Blocks of groups put together: the name of each, how many examples it has, and all of these."""
    names: list[bytes] = []
    blocks: list[pa.LargeBinaryArray] = []
    size = count = 0
    for number, group in enumerate(groups):
        for records in group.records():
            if blocks and (size + records.nbytes > BATCH_BYTES or count + len(records) > MAX_BATCH_EXAMPLES):
                yield names, np.array([*map(len, blocks)]), pa.concat_arrays(blocks)
                names, blocks, size, count = [], [], 0, 0
            names.append(f"{shard}:{number}".encode())
            blocks.append(records)
            size, count = size + records.nbytes, count + len(records)
    if blocks:
        yield names, np.array([*map(len, blocks)]), pa.concat_arrays(blocks)
