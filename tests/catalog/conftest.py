"""Stores with published versions, as far as the catalog reads them: manifests and claims."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from groupstream import layout
from groupstream.features import Feature
from groupstream.manifest import Counts, GroupSizes, Manifest, SplitInfo, Statistics, StoredFile, canonical_json
from groupstream.stores import LocalStore, Store

Publish = Callable[..., Manifest]

FILE = {"size_bytes": 1, "crc32c": "0" * 8, "sha256": "0" * 64}


@pytest.fixture
def hostile() -> str:
    return '</script><script>alert(1)</script>"><img src=x onerror=alert(2)>\u202e\x00&amp;{{ 7*7 }}'


@pytest.fixture
def store(tmp_path) -> LocalStore:
    return LocalStore(tmp_path / "root")


@pytest.fixture
def publish(store) -> Publish:
    """Publishes a version of some size; `day` is when it was claimed, in January 2026."""

    def write(
        ref: str, num_groups: int = 10, *, into: Store = store, day: int | None = 1, **changes: object
    ) -> Manifest:
        name, version = ref.split("@")
        manifest = make_manifest(name, version, num_groups).model_copy(update=changes)
        if day is not None:
            claim = {"digest": manifest.digest, "created_at": datetime(2026, 1, day, 12, tzinfo=UTC).isoformat()}
            into.put_if_absent(f"{name}/{version}/{layout.CLAIM}", canonical_json(claim))
        assert into.put_if_absent(f"{name}/{version}/{layout.MANIFEST}", manifest.to_json())
        return manifest

    return write


def make_manifest(name: str, version: str, num_groups: int) -> Manifest:
    sizes = {"train": num_groups, "test": 1}
    return Manifest(
        name=name,
        version=version,
        description=f"What {name} is.",
        digest="4f1c" * 16,
        spec={"name": name, "license": "CC-BY-4.0"},
        source={},
        code={},
        seed=0,
        features={"text": Feature(dtype="string"), "picture": Feature(dtype="bytes", image_format="png")},
        group_feature="group_id",
        splits={split: split_of(split, groups) for split, groups in sizes.items()},
        counts=Counts(examples_in=1, examples_out=1),
        files=(StoredFile(path=layout.CARD, **FILE),),
    )


def split_of(name: str, num_groups: int) -> SplitInfo:
    statistics = Statistics(
        num_groups=num_groups,
        num_examples=num_groups * 20,
        num_bytes=num_groups * 1_000,
        num_words=0,
        group_sizes=GroupSizes(p10=1, p50=1, p90=1, max=1),
    )
    return SplitInfo(shards=(), group_table=StoredFile(path=f"{name}.groups.parquet", **FILE), statistics=statistics)
