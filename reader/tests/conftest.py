"""Golden versions, and versions made up on the spot. Nothing of the platform: these tests run with the reader alone."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from groupstream import Dataset, Split, layout
from groupstream.binary import byte_lengths, data_of, joined
from groupstream.commit import claim_version, commit_version, describe_file
from groupstream.examples.encoding import encode_examples, encode_group_ids
from groupstream.features import GROUP_ID, Feature, arrow_schema
from groupstream.group_order import hash_group_ids, hash_words, shard_of
from groupstream.group_table import SCHEMA, statistics_of, write_group_table
from groupstream.manifest import Counts, Manifest, Shard, SplitInfo, canonical_json
from groupstream.refs import Location
from groupstream.stores import LocalStore
from groupstream.testing import WrappedStore
from groupstream.tfds_metadata import dataset_info_json, features_json
from groupstream.tfrecord import OVERHEAD_BYTES, frame_records

os.environ["GROUPSTREAM_RECORD_PULLS"] = "0"  # tests pull from folders that must stay as they are

GOLDEN = Path(__file__).parents[2] / "tests" / "golden"
MakeVersion = Callable[..., Path]


@pytest.fixture(scope="session")
def golden() -> Path:
    """A root with the golden versions of format 1. Read-only."""
    return GOLDEN / "v1"


@pytest.fixture
def golden_copy(golden: Path, tmp_path: Path) -> Path:
    """The same, to be broken."""
    root = tmp_path / "golden"
    shutil.copytree(golden, root)
    for path in root.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return root


@pytest.fixture(scope="session")
def source_lines() -> Callable[[str], list[dict[str, Any]]]:
    """The examples that a golden version was built from."""

    def read(name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (GOLDEN / "sources" / f"{name}.jsonl").read_text().splitlines()]

    return read


@pytest.fixture
def shown(golden: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What a command prints for the golden versions, run in this process: faster, for what goes well."""
    from typer.testing import CliRunner

    from groupstream import cli

    monkeypatch.setenv("GROUPSTREAM_ROOT", str(golden))
    monkeypatch.setenv("COLUMNS", "150")

    def invoke(*arguments: str, exit_code: int = 0) -> str:
        result = CliRunner().invoke(cli.make_app(), list(arguments), catch_exceptions=False)
        assert result.exit_code == exit_code, result.output
        return result.stdout

    return invoke


@pytest.fixture
def make_version(tmp_path: Path) -> MakeVersion:
    """Publishes a version of the given examples under `tmp_path`; gives the root."""

    def make(
        examples: Sequence[Mapping[str, Any]],
        group_ids: Sequence[bytes],
        features: Mapping[str, Feature],
        change_index: Callable[[pa.Table], pa.Table] = lambda table: table,
        num_shards: int = 2,
        **fields: Any,
    ) -> Path:
        batch = pa.RecordBatch.from_pylist(list(examples), arrow_schema(features))
        seed = fields.get("seed", 0)
        table, shards = _arranged(encode_examples(batch, features), group_ids, seed, num_shards)
        _publish(tmp_path, change_index(table), shards, {"features": features, "seed": seed, **fields})
        return tmp_path

    return make


@pytest.fixture
def counted() -> Callable[[Split], tuple[Split, list[int]]]:
    """The same split read through a store that notes the size of each request for a shard; and these sizes."""

    def count(split: Split) -> tuple[Split, list[int]]:
        sizes: list[int] = []

        def note(path: str, offset: int, data: bytes) -> bytes:
            if path.endswith(".tfrecord"):
                sizes.append(len(data))
            return data

        root, name, version = split.location.rsplit("/", 2)
        location = Location(WrappedStore(LocalStore(root), note), f"{name}/{version}")
        content = location.store.read(f"{location.folder}/{layout.MANIFEST}")
        return Dataset(location, Manifest.from_json(content, ""))[split.name], sizes

    return count


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the test's own."""
    monkeypatch.setenv("GROUPSTREAM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def two_splits(make_version: MakeVersion) -> Path:
    """A root with wide@1.0.0: train (3 shards) and test (2), of 30 and 12 groups, with files of 10 to 60 kB."""
    features = {"n": Feature(dtype="int64"), "data": Feature(dtype="bytes")}

    def examples(count: int) -> list[dict[str, Any]]:
        return [{"n": n, "data": hashlib.sha512(b"%d" % n).digest() * (n % 13)} for n in range(count)]

    make_version(examples(300), [b"g%d" % (n % 30) for n in range(300)], features, num_shards=3, name="wide_train")
    root = make_version(examples(60), [b"g%d" % (n % 12 + 25) for n in range(60)], features, name="wide_test")
    _join_splits(root, "wide", ("train", "test"))
    return root


def _join_splits(root: Path, name: str, splits: tuple[str, ...]) -> None:
    """Publishes <name>@1.0.0 of the versions <name>_<split>, whose groups are in `train`."""
    infos, contents = {}, {}
    for split in splits:
        folder = root / f"{name}_{split}" / "1.0.0"
        one = Manifest.from_json((folder / layout.MANIFEST).read_bytes(), str(folder))
        info = one.splits["train"].model_dump()
        for file in (*info["shards"], info["group_table"]):
            new = file["path"].replace("train", split)
            contents[new] = folder / file["path"]
            file["path"] = new
        infos[split] = SplitInfo.model_validate(info)
    more = {
        "features.json": canonical_json(features_json(one.features)),
        "dataset_info.json": canonical_json(dataset_info_json(name, "1.0.0", "", infos)),
    }
    total = sum(info.statistics.num_examples for info in infos.values())
    changes = {
        "name": name,
        "splits": infos,
        "counts": Counts(examples_in=total, examples_out=total),
        "files": tuple(describe_file(path, content) for path, content in more.items()),
    }
    store, manifest = LocalStore(root), one.model_copy(update=changes)
    assert claim_version(store, f"{name}/1.0.0", manifest.digest, {})
    commit_version(store, f"{name}/1.0.0", manifest, {**contents, **more})


def _arranged(
    records: pa.LargeBinaryArray, group_ids: Sequence[bytes], seed: int, num_shards: int
) -> tuple[pa.Table, list[bytes]]:
    """The group table and the bytes of the shards."""
    ids = list(dict.fromkeys(group_ids))
    hashes = hash_group_ids(ids, seed)
    by_hash = np.lexsort(hash_words(hashes)[::-1])
    rank_of = {ids[i]: rank for rank, i in enumerate(by_hash)}
    ranks = np.array([rank_of[i] for i in group_ids], np.int64)
    order = np.argsort(ranks, kind="stable")
    suffixes = encode_group_ids(pa.array([group_ids[i] for i in order], pa.large_binary()))
    framed = frame_records(joined(records.take(pa.array(order)), suffixes))
    lengths = byte_lengths(framed)
    first = np.searchsorted(ranks[order], np.arange(len(ids)))
    length_bytes, counts = np.add.reduceat(lengths, first), np.bincount(ranks)
    shard_index = shard_of(hash_words(hashes)[0][by_hash], num_shards)
    starts = np.cumsum(length_bytes) - length_bytes
    shard_starts = np.searchsorted(shard_index, np.arange(num_shards + 1))
    bounds = np.append(starts, length_bytes.sum())[shard_starts]
    columns = {
        "group_id": [ids[i] for i in by_hash],
        "group_hash": [hashes[i].tobytes() for i in by_hash],
        "shard_index": shard_index.astype(np.int32),
        "offset_bytes": starts - bounds[shard_index],
        "length_bytes": length_bytes,
        "num_examples": counts,
        "num_bytes": length_bytes - OVERHEAD_BYTES * counts,
        "num_words": np.zeros(len(ids), np.int64),
    }
    table = pa.table([pa.array(columns[field.name], field.type) for field in SCHEMA], schema=SCHEMA)
    data = bytes(data_of(framed))
    return table, [data[a:b] for a, b in itertools.pairwise(bounds)]


def _publish(root: Path, table: pa.Table, shards: list[bytes], fields: dict[str, Any]) -> None:
    index_path = root / "index.parquet"
    write_group_table(index_path, [table])
    index = index_path.read_bytes()
    index_path.unlink()
    shard_index = table["shard_index"].to_numpy()
    examples = table["num_examples"].to_numpy()
    names = [layout.shard_file("train", i, len(shards)) for i in range(len(shards))]
    described = tuple(
        Shard(
            **describe_file(name, shard).model_dump(),
            num_groups=int((shard_index == i).sum()),
            num_examples=int(examples[shard_index == i].sum()),
        )
        for i, (name, shard) in enumerate(zip(names, shards, strict=True))
    )
    index_name = layout.group_table_file("train")
    split = SplitInfo(shards=described, group_table=describe_file(index_name, index), statistics=statistics_of(table))
    num_examples = split.statistics.num_examples
    manifest = Manifest(
        **{
            "name": "made",
            "version": "1.0.0",
            "digest": "0" * 64,
            "spec": {},
            "source": {},
            "code": {},
            "group_feature": GROUP_ID,
            "splits": {"train": split},
            "counts": Counts(examples_in=num_examples, examples_out=num_examples),
            **fields,
        }
    )
    store, folder = LocalStore(root), f"{manifest.name}/{manifest.version}"
    assert claim_version(store, folder, manifest.digest, {})
    commit_version(store, folder, manifest, {**dict(zip(names, shards, strict=True)), index_name: index})
