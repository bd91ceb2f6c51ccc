"""What a manifest, and what a catalog, say of a version, as the columns of its row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groupstream.catalog import CatalogVersion
from groupstream.manifest import Manifest
from registry.columns import storable
from registry.models import Version

FIGURES = ("num_groups", "num_examples", "num_bytes", "num_words")
_OBJECTS = ("features", "spec", "source", "code", "counts")


def describe(row: Version, columns: Mapping[str, Any]) -> None:
    """Sets the columns of a row. Where it was another build's, which did not win, nothing of that one stays."""
    if row.digest != columns["digest"]:
        row.run_id, row.published_at = None, None
    for name, value in columns.items():
        setattr(row, name, value)


def columns_of_manifest(manifest: Manifest, location: str) -> dict[str, Any]:
    """All that comes from the manifest."""
    content = storable(manifest.model_dump(mode="json"))
    of_splits = {name: split["statistics"] for name, split in content["splits"].items()}
    return {
        "digest": storable(manifest.digest),
        "location": location,
        "has_manifest": True,
        "num_shards": sum(len(split.shards) for split in manifest.splits.values()),
        "statistics": of_splits,
        "checks": content["checks"],
        **_sums(of_splits),
        **{key: content[key] for key in _OBJECTS},
        **_parent_of(content["source"]),
    }


def columns_of_catalog(entry: CatalogVersion, location: str) -> dict[str, Any]:
    """The few that come from the catalog, where the manifest was never recorded here; the others are empty."""
    of_splits = storable({name: split.model_dump() for name, split in entry.splits.items()})
    return {
        "digest": storable(entry.digest),
        "location": location,
        "has_manifest": False,
        "num_shards": 0,
        "statistics": of_splits,
        "checks": [],
        **_sums(of_splits),
        **{key: {} for key in _OBJECTS},
        **_parent_of({}),
    }


def _sums(of_splits: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    return {figure: sum(statistics[figure] for statistics in of_splits.values()) for figure in FIGURES}


def _parent_of(source: Mapping[str, Any]) -> dict[str, str | None]:
    """What a source of kind groupstream read. Its identity is in the manifest: see sources/groupstream_version.py."""
    ref = str(source.get("ref", "")) if source.get("kind") == "groupstream" else ""
    name, _, version = ref.partition("@")
    digest = source.get("digest") if ref else None
    return {
        "parent_name": name or None,
        "parent_version": version or None,
        "parent_digest": None if digest is None else str(digest),
    }
