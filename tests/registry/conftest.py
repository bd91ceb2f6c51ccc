from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from groupstream.manifest import Counts, Manifest, Shard, SplitInfo, Statistics, StoredFile
from registry import Registry

SIZES = {"p10": 1, "p50": 2, "p90": 3, "max": 4}
FILE = {"size_bytes": 10, "crc32c": "00000000", "sha256": "0" * 64}


def split(num_groups: int, num_shards: int) -> SplitInfo:
    shard = Shard(path="shard", num_groups=1, num_examples=2, **FILE)
    statistics = Statistics(
        num_groups=num_groups, num_examples=2 * num_groups, num_bytes=3 << 40, num_words=7, group_sizes=SIZES
    )
    return SplitInfo(shards=(shard,) * num_shards, group_table=StoredFile(path="table", **FILE), statistics=statistics)


def manifest_of(version: str = "1.0.0", digest: str = "a" * 64, name: str = "fedwiki", **fields: Any) -> Manifest:
    defaults: dict[str, Any] = {
        "spec": {"name": name},
        "source": {"kind": "jsonl"},
        "code": {"groupstream": "0.1.0"},
        "seed": 0,
        "features": {},
        "group_feature": "group_id",
        "splits": {"train": split(5, 2), "test": split(3, 1)},
        "counts": Counts(examples_in=20, examples_out=16, dropped={"empty": 4}),
    }
    return Manifest(name=name, version=version, digest=digest, **{**defaults, **fields})


@pytest.fixture
def make_manifest() -> Callable[..., Manifest]:
    return manifest_of


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/registry.db"


@pytest.fixture
def registry(url: str) -> Iterator[Registry]:
    opened = Registry(url)
    yield opened
    opened.close()
