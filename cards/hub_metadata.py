"""The block of YAML at the top of a README.md, as the Hugging Face Hub reads it.

Source: https://github.com/huggingface/hub-docs/blob/main/datasetcard.md
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from cards.licenses import find_license, is_web_address
from cards.text import visible_line
from groupstream import layout
from groupstream.features import Feature
from groupstream.manifest import Manifest

_TAGS = ["groupstream", "group-structured"]
_SIZES = ["1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T"]
_MAX_DIMENSIONS = 5  # of the arrays that their library has


def front_matter(manifest: Manifest) -> str:
    """The block, with the dashes around it.

    Its features are those that `to_hf()` gives. Its configs are the Parquet tables, which `load_dataset` reads; the
    examples are TFRecord files, which it does not.
    """
    fields = {
        **_license(manifest.spec),
        "pretty_name": visible_line(manifest.name),
        "tags": _TAGS,
        "size_categories": [_size_category(_num_examples(manifest))],
        "dataset_info": _dataset_info(manifest),
        **_configs(manifest),
    }
    text = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=1 << 30)
    return f"---\n{text}---\n"


def _license(spec: Mapping[str, Any]) -> dict[str, str]:
    name, homepage = str(spec.get("license") or "").strip(), str(spec.get("homepage") or "")
    known = find_license(name)
    if known or not name:
        return {"license": known.hub_id} if known else {}
    slug = re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")[:80]
    address = next(filter(is_web_address, (name, homepage)), None)
    return {"license": "other", "license_name": slug or "other", **({"license_link": address} if address else {})}


def _num_examples(manifest: Manifest) -> int:
    return sum(split.statistics.num_examples for split in manifest.splits.values())


def _size_category(num_examples: int) -> str:
    for index, name in enumerate(_SIZES):
        if num_examples < 10 ** (3 + index):
            return f"{_SIZES[index - 1]}<n<{name}" if index else f"n<{name}"
    return f"n>{_SIZES[-1]}"


def _dataset_info(manifest: Manifest) -> dict[str, Any]:
    splits = sorted(manifest.splits.items())
    return {
        "features": hub_features(
            {manifest.group_feature: Feature(dtype="string"), **dict(sorted(manifest.features.items()))}
        ),
        "splits": [
            {"name": name, "num_bytes": split.statistics.num_bytes, "num_examples": split.statistics.num_examples}
            for name, split in splits
        ],
        "download_size": sum(shard.size_bytes for _, split in splits for shard in split.shards),
        "dataset_size": sum(split.statistics.num_bytes for _, split in splits),
    }


def _configs(manifest: Manifest) -> dict[str, Any]:
    stored = {file.path for file in manifest.files}
    tables = {
        "groups": {name: split.group_table.path for name, split in manifest.splits.items()},
        "labels": {n: path for n in manifest.splits if (path := layout.label_table_file(n)) in stored},
    }
    configs = [
        {"config_name": kind, "data_files": [{"split": n, "path": path} for n, path in sorted(paths.items())]}
        for kind, paths in tables.items()
        if paths
    ]
    return {"configs": configs} if configs else {}


def hub_features(features: Mapping[str, Feature]) -> list[dict[str, Any]]:
    """Features as `datasets.Features` writes them to YAML."""
    return [{"name": name, **_typed(feature)} for name, feature in features.items()]


def _typed(feature: Feature) -> dict[str, Any]:
    shape = feature.tensor_shape
    if feature.is_image:
        return {"dtype": "image"}
    if feature.labels and not feature.shape:
        return {"dtype": {"class_label": {"names": {str(i): label for i, label in enumerate(feature.labels)}}}}
    if feature.is_tensor and 1 < len(shape) <= _MAX_DIMENSIONS:
        return {"dtype": {f"array{len(shape)}_d": {"shape": list(shape), "dtype": feature.dtype}}}
    kind: dict[str, Any] = {"dtype": "binary" if feature.dtype == "bytes" else feature.dtype}
    for length in reversed(shape):
        kind = {"list": _inner(kind), "length": length}
    return {"list": _inner(kind)} if feature.is_list else kind


def _inner(kind: dict[str, Any]) -> Any:
    """What a list is of: the name alone where that says it all."""
    return kind["dtype"] if kind.keys() == {"dtype"} else kind
