"""Versions without examples, for checks that read the tables of groups and labels only."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from groupstream import Dataset, Feature, Manifest, layout
from groupstream.commit import describe_file
from groupstream.group_order import hash_group_ids
from groupstream.group_table import LABEL_SCHEMA, SCHEMA, statistics_of, write_group_table
from groupstream.manifest import Counts, SplitInfo
from groupstream.refs import Location
from groupstream.stores import LocalStore

Sizes = Mapping[bytes, int]  # examples by group
MakeVersion = Callable[..., Dataset]
TablesAsVersion = Callable[..., Dataset]


@pytest.fixture
def made(tmp_path: Path) -> MakeVersion:
    """A version with these groups and labels, in splits or all in train; without examples, which nobody reads here."""
    numbers = itertools.count(1)

    def version(
        groups: Sizes | Mapping[str, Sizes],
        labels: Mapping[bytes, int] | None = None,
        features: Mapping[str, Feature] = {"text": Feature(dtype="string")},
        seed: int = 0,
    ) -> Dataset:
        folder = tmp_path / f"{next(numbers)}.0.0"
        folder.mkdir()
        splits = groups if all(isinstance(name, str) for name in groups) and groups else {"train": groups}
        infos = {name: split_info(folder, name, sizes, seed) for name, sizes in splits.items()}
        files = [label_file(folder, name, labels) for name in list(splits)[:1] if labels is not None]
        manifest = Manifest(
            name="made",
            version=folder.name,
            digest="",
            spec={},
            source={},
            code={},
            seed=seed,
            features=dict(features),
            group_feature="",
            splits=infos,
            counts=Counts(examples_in=0, examples_out=0),
            files=tuple(files),
        )
        return Dataset(Location(LocalStore(tmp_path), folder.name), manifest)

    return version


@pytest.fixture
def tables_as_version(tmp_path: Path) -> TablesAsVersion:
    """A version with these group tables and label tables, by split; without examples."""

    def version(tables: Mapping[str, pa.Table], labels: Mapping[str, pa.Table] | None = None) -> Dataset:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        infos, files = {}, []
        for name, table in tables.items():
            path = folder / layout.group_table_file(name)
            write_group_table(path, [table])
            info = describe_file(path.name, path)
            infos[name] = SplitInfo(shards=(), group_table=info, statistics=statistics_of(table))
        for name, table in (labels or {}).items():
            path = folder / layout.label_table_file(name)
            write_group_table(path, [table], LABEL_SCHEMA)
            files.append(describe_file(path.name, path))
        manifest = Manifest(
            name="made",
            version="1.0.0",
            digest="",
            spec={},
            source={},
            code={},
            seed=0,
            features={},
            group_feature="",
            splits=infos,
            counts=Counts(examples_in=0, examples_out=0),
            files=tuple(files),
        )
        return Dataset(Location(LocalStore(tmp_path), folder.name), manifest)

    return version


def split_info(folder: Path, name: str, sizes: Sizes, seed: int) -> SplitInfo:
    hashes = {bytes(row): group_id for row, group_id in zip(hash_group_ids(list(sizes), seed), sizes, strict=True)}
    rows = [
        dict.fromkeys(SCHEMA.names, 0)
        | {"group_id": i, "group_hash": h, "num_examples": sizes[i], "num_bytes": sizes[i]}
        for h, i in sorted(hashes.items())
    ]
    path = folder / layout.group_table_file(name)
    table = pa.Table.from_pylist(rows, SCHEMA)
    write_group_table(path, [table])
    return SplitInfo(shards=(), group_table=describe_file(path.name, path), statistics=statistics_of(table))


def label_file(folder: Path, name: str, labels: Mapping[bytes, int]) -> Any:
    path = folder / layout.label_table_file(name)
    rows = [{"group_row": 0, "label": label, "num_examples": count} for label, count in labels.items()]
    write_group_table(path, [pa.Table.from_pylist(rows, LABEL_SCHEMA)], LABEL_SCHEMA)
    return describe_file(path.name, path)
