"""Writes a prepared TFDS dataset without TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from groupstream.binary import data_of
from groupstream.features import GROUP_ID, Features
from groupstream.manifest import canonical_json
from groupstream.tfds_metadata import features_json
from groupstream.tfrecord import frame_records

NUM_FILES = 8


def write_tfds_folder(folder: Path, features: Features, shards: Iterable[pa.LargeBinaryArray]) -> None:
    """Serialised examples as `tfds.builder_from_directory` reads them, named as TFDS names them.

    Args:
        shards: the examples of each of the NUM_FILES files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lengths, size = [], 0
    for number, records in enumerate(shards):
        data = data_of(frame_records(records))
        (folder / f"made-train.tfrecord-{number:05d}-of-{NUM_FILES:05d}").write_bytes(data)
        lengths.append(str(len(records)))
        size += data.size
    split = {
        "name": "train",
        "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
        "numBytes": str(size),
        "shardLengths": lengths,
    }
    described = features_json(features)
    del described["featuresDict"]["features"][GROUP_ID]  # which only a built version has
    info = {"name": "made", "version": "1.0.0", "fileFormat": "tfrecord", "splits": [split]}
    (folder / "features.json").write_bytes(canonical_json(described))
    (folder / "dataset_info.json").write_bytes(canonical_json(info))
