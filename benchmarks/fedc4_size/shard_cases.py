"""A manifest of many shards: what it takes to write it, and to open such a version."""

from __future__ import annotations

from pathlib import Path

import groupstream
from benchmarks.fedc4_size.found import Found
from benchmarks.fedc4_size.names import NUM_GROUPS, VERSION, version_folder
from groupstream.tfds_metadata import dataset_info_json

_FEW_GROUPS = 1_000  # of which there are tables; the shards say that they have more


def make_manifest(folder: Path, num_shards: int) -> None:
    """A version of so many shards, of which none is there."""
    from benchmarks.fedc4_size.version import made_shards, make_version, write_manifest

    if (folder / "whole").exists():
        return
    make_version(folder, _FEW_GROUPS)
    each = NUM_GROUPS // num_shards
    shards = made_shards([each] * num_shards, [23 * each] * num_shards)
    write_manifest(version_folder(folder), VERSION, shards)
    (folder / "whole").touch()


def write_it(folder: Path) -> Found:
    """As the bytes of manifest.json, and as what TFDS reads beside it."""
    found, manifest = Found(), groupstream.open(version_folder(folder)).manifest
    with found.timed("manifest, written"):
        content = manifest.to_json()
    with found.timed("metadata of TFDS, written"):
        dataset_info_json(manifest.name, manifest.version, manifest.description, dict(manifest.splits))
    found.bytes["manifest"] = len(content)
    return found


def open_it(folder: Path) -> Found:
    """Opening, and what each look-up needs of the shards."""
    found = Found()
    with found.timed("manifest, opened"):
        train = groupstream.open(version_folder(folder))["train"]
    with found.timed("readers of the shards, each", 100):
        for _ in range(100):
            train.reader()
    return found
