"""The layout of Dataset Grouper 0.3.0, for its loader: a whole group in each record. See `sequence_example`.

It holds a group in one protobuf message, so a group has 2 GB at most. Beside the shards lies features.json, from which
TensorFlow Datasets makes the features that its loader asks for: `tfds.features.FeaturesDict.from_config(folder)`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from groupstream.binary import byte_lengths, data_of
from groupstream.chunk import Chunk
from groupstream.dataset_grouper.sequence_example import (
    HEAD_BYTES,
    encode_groups,
    encode_heads,
    encode_steps,
    step_lengths,
)
from groupstream.errors import UsageError
from groupstream.exports.format import Format, OnBytes
from groupstream.features import Features
from groupstream.long_record import write_record
from groupstream.selection import shown_id
from groupstream.stream import GroupStream
from groupstream.tfds_metadata import features_json
from groupstream.tfrecord import frame_records

MAX_GROUP_BYTES = 2_000_000_000  # BYTES_LIMIT in dataset_grouper/beam_transforms.py; it drops what goes beyond


def write(stream: GroupStream, file: BinaryIO, on_bytes: OnBytes) -> None:
    """Writes one shard. A group larger than a chunk is read twice: its length stands before it."""
    for chunk in stream.chunks(decode=False):
        if chunk.is_large:
            _write_large(chunk, file, on_bytes)
        else:
            file.write(data_of(frame_records(encode_groups(chunk.records, chunk.bounds))))
            on_bytes(int(chunk.rows.num_bytes.sum()))


def _write_large(chunk: Chunk, file: BinaryIO, on_bytes: OnBytes) -> None:
    [group] = chunk.groups()
    body_length = sum(int(step_lengths(byte_lengths(block)).sum()) for block in group.records())
    head = bytes(data_of(encode_heads(np.array([body_length]))))

    def parts() -> Iterator[bytes]:
        yield head
        for block in group.records():
            yield bytes(data_of(encode_steps(block)))
            on_bytes(int(byte_lengths(block).sum()))

    write_record(file, len(head) + body_length, parts())


def check(stream: GroupStream) -> None:
    """Refuses what the layout cannot hold. Reads the index only.

    Raises:
        UsageError: a group is too large, or only some features are wanted.
    """
    if stream.features is not None:
        raise UsageError("format dataset-grouper holds whole examples; leave out select(), or choose format parquet")
    for chunk in stream.prefetch(0).chunks(decode=False):
        rows = chunk.rows
        sizes = record_bytes(rows.num_bytes, rows.num_examples)
        if (too_large := sizes >= MAX_GROUP_BYTES).any():
            i = int(too_large.argmax())
            group = shown_id(rows.group_ids[i])
            raise UsageError(
                f"group {group} takes up to {sizes[i]:,} bytes in one record, and Dataset Grouper can hold "
                f"{MAX_GROUP_BYTES:,}; choose format parquet, or leave out groups of {rows.num_examples[i]:,} examples "
                "with max_examples"
            )


def record_bytes(num_bytes: np.ndarray, num_examples: np.ndarray) -> np.ndarray:
    """int64[num_groups]: at most so many bytes has the record of a group, however they are spread over its examples.

    Around each example are three tags and three lengths, each of at most 1 + log128(example + 12) bytes. The logarithm
    is concave, so the sum is largest when all examples are of one size.
    """
    mean = num_bytes / np.maximum(num_examples, 1)
    around = num_examples * (6 + 3 * np.log(mean + 12) / math.log(128))
    return HEAD_BYTES + num_bytes + np.ceil(around).astype(np.int64)


def side_files(stream: GroupStream) -> dict[str, bytes]:
    """The description of the features."""
    return {"features.json": (json.dumps(their_features(stream.split.features), indent=1) + "\n").encode()}


def their_features(features: Features) -> dict[str, Any]:
    """features.json for a TensorFlow Datasets of 2023, which knows no optional feature.

    There an optional feature is a sequence, of one value where it is there and of none where it is not. A missing list
    reads as an empty one.
    """
    described = features_json({name: f.model_copy(update={"optional": False}) for name, f in features.items()})
    entries = described["featuresDict"]["features"]
    for name, feature in features.items():
        if feature.optional and not feature.is_list:
            entries[name] = {
                "pythonClassName": "tensorflow_datasets.core.features.sequence_feature.Sequence",
                "sequence": {"feature": entries[name], "length": "-1"},
            }
    return described


DATASET_GROUPER = Format("dataset-grouper", ".tfrecord", write, check, side_files)
