"""The two files that make a version's folder an ordinary TFDS dataset too.

`tfds.builder_from_directory(folder)` reads them. Source: tensorflow_datasets/core/proto/dataset_info.proto
and feature.proto, in protobuf's JSON form.
"""

from __future__ import annotations

from typing import Any

from groupstream.features import GROUP_ID, Feature, Features
from groupstream.manifest import SplitInfo

_MODULE = "tensorflow_datasets.core.features"


def features_json(features: Features) -> dict[str, Any]:
    """The content of features.json, with the group id that every record carries."""
    every = {**features, GROUP_ID: Feature(dtype="bytes")}
    return {
        "pythonClassName": f"{_MODULE}.features_dict.FeaturesDict",
        "featuresDict": {"features": {name: _feature_json(f) for name, f in sorted(every.items())}},
    }


def dataset_info_json(name: str, version: str, description: str, splits: dict[str, SplitInfo]) -> dict[str, Any]:
    """The content of dataset_info.json."""
    return {
        "name": name.replace("-", "_"),
        "version": version,
        "description": description,
        "fileFormat": "tfrecord",
        "splits": [_split_json(split, info) for split, info in splits.items()],
    }


def _split_json(name: str, info: SplitInfo) -> dict[str, Any]:
    return {
        "name": name,
        "filepathTemplate": "{SPLIT}-{SHARD_X_OF_Y}.{FILEFORMAT}",
        "numBytes": str(info.statistics.num_bytes),
        "shardLengths": [str(shard.num_examples) for shard in info.shards],
    }


def _feature_json(feature: Feature) -> dict[str, Any]:
    if feature.is_list:
        one = feature.model_copy(update={"shape": feature.tensor_shape})
        inner = _plain_tensor_json(one) if one.is_tensor else _feature_json(one)
        return {
            "pythonClassName": f"{_MODULE}.sequence_feature.Sequence",
            "sequence": {"feature": inner, "length": "-1"},
        }
    if feature.optional:  # a missing one reads as empty text, or as the least number of its type
        return _tensor_json(feature)
    if feature.labels is not None:
        return {
            "pythonClassName": f"{_MODULE}.class_label_feature.ClassLabel",
            "classLabel": {"numClasses": str(len(feature.labels))},
        }
    if feature.image_format:
        image = {"shape": {"dimensions": ["-1", "-1", "-1"]}, "dtype": "uint8", "encodingFormat": feature.image_format}
        return {"pythonClassName": f"{_MODULE}.image_feature.Image", "image": image}
    if feature.is_text:
        return {"pythonClassName": f"{_MODULE}.text_feature.Text", "text": {}}
    return _tensor_json(feature)


def _plain_tensor_json(feature: Feature) -> dict[str, Any]:
    """A tensor of a list of them: stored as numbers, not bytes, and never missing. A missing list reads as empty."""
    found = _tensor_json(feature.model_copy(update={"optional": False}))
    found["tensor"]["encoding"] = "none"
    return found


def _tensor_json(feature: Feature) -> dict[str, Any]:
    tensor: dict[str, Any] = {
        "shape": {"dimensions": [str(d) for d in feature.shape]},
        "dtype": "string" if feature.dtype in ("string", "bytes") else feature.dtype,
        "encoding": "bytes" if feature.is_tensor else "none",
    }
    if feature.optional:
        tensor["optional"] = True
    return {"pythonClassName": f"{_MODULE}.tensor_feature.Tensor", "tensor": tensor}
