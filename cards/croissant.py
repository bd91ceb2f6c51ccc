"""Croissant metadata: a version as machines of other makers read it.

What mlcroissant can do with it is tested: it loads the tables of groups and of labels, from a folder or by their
address. TFRecord it cannot read, so the record set of the examples only says what is in them.

Source: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.0.html
"""

from __future__ import annotations

import glob
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from cards.licenses import find_license, is_web_address
from groupstream import layout
from groupstream.features import Feature
from groupstream.group_table import LABEL_SCHEMA, SCHEMA
from groupstream.manifest import Manifest, Shard, StoredFile

_SPEC = "http://mlcommons.org/croissant/1.0"
_TFRECORD = "https://www.tensorflow.org/tutorials/load_data/tfrecord"  # it has no media type
_PARQUET = "application/x-parquet"
_PLAIN_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")

_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}

_READING = """Examples are tf.train.Example records in TFRecord files; those of a group are adjacent, and the table of
groups says where each group lies. Tools for Croissant load the tables; read the examples with the Python library
groupstream, or with tensorflow_datasets.builder_from_directory on this folder."""
_COLUMNS = {
    "group_id": "The id of the group, as bytes.",
    "group_hash": "A keyed hash of the id, 16 bytes. Rows ascend by it.",
    "shard_index": "Which of the TFRecord files of the split holds the group, from 0.",
    "offset_bytes": "Where its first record begins in that file.",
    "length_bytes": "How many bytes of that file are its records.",
    "num_examples": "How many examples it has.",
    "num_bytes": "How large they are together, without the framing of the file.",
    "num_words": "How many words their texts have.",
    "group_row": "Which row of the table of groups it is, from 0.",
    "label": "The label, as bytes: its text, or its number in decimal.",
}


def croissant(manifest: Manifest) -> dict[str, Any]:
    """The content of croissant.json, in the JSON-LD of Croissant 1.0.

    It depends on what the version holds, not on which of the files that describe it are in the manifest yet. Shards
    are one FileSet, so that it stays small with thousands of them; the manifest has their hashes.

    Args:
        manifest: of the version, with its number.
    """
    spec = manifest.spec
    cited = {
        "license": _license(str(spec.get("license") or "")),
        "url": homepage if is_web_address(homepage := str(spec.get("homepage") or "")) else "",
        "citeAs": str(spec.get("citation") or ""),
    }
    return {
        "@context": dict(_CONTEXT),
        "@type": "sc:Dataset",
        "name": manifest.name,
        "description": "\n\n".join(filter(None, (manifest.description, " ".join(_READING.split())))),
        "conformsTo": _SPEC,
        "version": manifest.version,
        **{key: value for key, value in cited.items() if value},
        "isLiveDataset": False,
        "distribution": _distribution(manifest),
        "recordSet": _record_sets(manifest),
    }


def _license(name: str) -> str:
    known = find_license(name)
    return known.url if known else name


def _distribution(manifest: Manifest) -> list[dict[str, Any]]:
    shards = [pattern for _, split in sorted(manifest.splits.items()) for pattern in _patterns(split.shards)]
    sets = [
        _file_set("manifest", [layout.MANIFEST], "application/json", "Every file, with its size and its hashes."),
        _file_set("shards", shards, _TFRECORD, "The examples. The manifest has the size and hash of each file."),
    ]
    tables = [_file_object(set_id, file) for set_id, file in _tables(manifest).items()]
    return [*sets[: 2 if shards else 1], *tables]


def _tables(manifest: Manifest) -> dict[str, StoredFile]:
    """The Parquet files, by the id of their record set: of groups and, where they were counted, of labels."""
    stored = {file.path: file for file in manifest.files}
    tables = {}
    for index, (name, split) in enumerate(sorted(manifest.splits.items())):
        tables[f"groups_{_plain_id(name, index)}"] = split.group_table
        if labels := stored.get(layout.label_table_file(name)):
            tables[f"labels_{_plain_id(name, index)}"] = labels
    return tables


def _patterns(shards: Sequence[Shard]) -> list[str]:
    """What the names of the shards of one split match, and no other name does."""
    if not shards:
        return []
    before, after = glob.escape(shards[0].path).rsplit("-00000-of-", 1)
    return [f"{before}-{'[0-9]' * 5}-of-{after}"]


def _file_set(file_id: str, includes: list[str], encoding: str, description: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": file_id,
        "name": file_id,
        "description": description,
        "encodingFormat": encoding,
        "includes": includes,
    }


def _file_object(set_id: str, file: StoredFile) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": _file_id(set_id, file),
        "name": file.path,
        "contentUrl": file.path,
        "contentSize": f"{file.size_bytes} B",
        "encodingFormat": _PARQUET,
        "sha256": file.sha256,
    }


def _file_id(set_id: str, file: StoredFile) -> str:
    return file.path if _PLAIN_ID.fullmatch(file.path) else f"{set_id}.parquet"


def _record_sets(manifest: Manifest) -> list[dict[str, Any]]:
    found = [_examples(manifest)] if any(split.shards for split in manifest.splits.values()) else []
    found += _classes(manifest.features)
    for set_id, file in _tables(manifest).items():
        of_groups = set_id.startswith("groups_")
        found.append(_table(set_id, file, SCHEMA if of_groups else LABEL_SCHEMA))
    return found


def _examples(manifest: Manifest) -> dict[str, Any]:
    group_id = _plain_id(manifest.group_feature, -1)
    group = _field("examples", group_id, manifest.group_feature, "sc:Text", "The id of its group, as bytes.")
    fields = [group, *(_feature_field(*each) for each in enumerate(sorted(manifest.features.items())))]
    for field, column in zip(fields, [manifest.group_feature, *sorted(manifest.features)], strict=True):
        field["source"] = {"fileSet": {"@id": "shards"}, "extract": {"column": column}}
    return {
        "@type": "cr:RecordSet",
        "@id": "examples",
        "name": "examples",
        "description": f"The examples of all splits. {' '.join(_READING.split())}",
        "field": fields,
    }


def _feature_field(index: int, named: tuple[str, Feature]) -> dict[str, Any]:
    name, feature = named
    field = _field("examples", _plain_id(name, index), name, _data_type(feature), _describe(feature, index, name))
    if feature.shape:
        shape = ",".join("-1" if size is None else str(size) for size in feature.shape)
        field |= {"repeated": True, "isArray": True, "arrayShape": shape}
    return field


def _data_type(feature: Feature) -> str:
    if feature.is_image:
        return "sc:ImageObject"
    of_number = {"bool": "sc:Boolean", "float32": "sc:Float", "string": "sc:Text", "bytes": "sc:Text"}
    return of_number.get(feature.dtype, "sc:Integer")


def _describe(feature: Feature, index: int, name: str) -> str:
    """What the data type does not say."""
    said = [f"{feature.image_format} image" if feature.image_format else feature.dtype]
    said += ["bytes, for which Croissant has no type"] if feature.dtype == "bytes" and not feature.image_format else []
    said += [f"a tensor of shape {feature.shape}, in row-major order"] if feature.is_tensor else []
    said += ["a list" if feature.shape == (None,) else "a list of tensors"] if feature.is_list else []
    said += [f"the index of a class, see classes_{_plain_id(name, index)}"] if feature.labels else []
    return "; ".join([*said, *(["missing in some examples"] if feature.optional else [])])


def _classes(features: Mapping[str, Feature]) -> list[dict[str, Any]]:
    """The names of the classes, for each feature that has them."""
    found = []
    for index, (name, feature) in enumerate(sorted(features.items())):
        if feature.labels:
            set_id = f"classes_{_plain_id(name, index)}"
            rows = [{f"{set_id}/index": i, f"{set_id}/name": label} for i, label in enumerate(feature.labels)]
            found.append(_enumeration(set_id, name, rows))
    return found


def _enumeration(set_id: str, name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": set_id,
        "name": set_id,
        "description": f"The classes of {name}.",
        "dataType": "sc:Enumeration",
        "key": {"@id": f"{set_id}/index"},
        "field": [
            _field(set_id, "index", "index", "sc:Integer", "The value of the feature."),
            _field(set_id, "name", "name", "sc:Text", "What it stands for."),
        ],
        "data": rows,
    }


def _table(set_id: str, file: StoredFile, schema: pa.Schema) -> dict[str, Any]:
    fields = []
    for column in schema:
        data_type = "sc:Integer" if pa.types.is_integer(column.type) else "sc:Text"
        field = _field(set_id, column.name, column.name, data_type, _COLUMNS[column.name])
        field["source"] = {"fileObject": {"@id": _file_id(set_id, file)}, "extract": {"column": column.name}}
        fields.append(field)
    of_groups = schema is SCHEMA
    return {
        "@type": "cr:RecordSet",
        "@id": set_id,
        "name": set_id,
        "description": "One record per group." if of_groups else "How many examples of a group have which label.",
        **({"key": {"@id": f"{set_id}/group_id"}} if of_groups else {}),
        "field": fields,
    }


def _field(set_id: str, field_id: str, name: str, data_type: str, description: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{set_id}/{field_id}",
        "name": name,
        "description": description,
        "dataType": data_type,
    }


def _plain_id(name: str, index: int) -> str:
    """The name, or its place among the names where it is no id: those take neither white space nor all signs."""
    return name if _PLAIN_ID.fullmatch(name) else f"-{index}"
