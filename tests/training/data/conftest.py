"""Small versions made up on the spot, and real ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import groupstream
from groupstream import Dataset, Feature, layout
from groupstream.binary import byte_lengths, data_of, joined
from groupstream.commit import claim_version, commit_version, describe_file
from groupstream.examples.encoding import encode_examples, encode_group_ids
from groupstream.features import GROUP_ID, arrow_schema
from groupstream.group_order import hash_group_ids, hash_words
from groupstream.group_table import SCHEMA, statistics_of, write_group_table
from groupstream.manifest import Counts, Manifest, Shard, SplitInfo
from groupstream.stores import LocalStore
from groupstream.tfrecord import OVERHEAD_BYTES, frame_records

TEXT = {"text": Feature(dtype="string")}

Grouped = tuple[pa.RecordBatch, Sequence[bytes]]
MakeDataset = Callable[..., Dataset]


@pytest.fixture
def make_dataset(tmp_path: Path) -> MakeDataset:
    """Publishes examples, given as `{group: [example, ...]}` or `{group: [text, ...]}`, as the split train.

    Splits by other names follow as arguments.
    """

    def make(
        train: Mapping[str, Sequence[Any]],
        features: Mapping[str, Feature] = TEXT,
        spec: Mapping[str, Any] | None = None,
        **others: Mapping[str, Sequence[Any]],
    ) -> Dataset:
        splits = {name: _grouped(groups, features) for name, groups in {"train": train, **others}.items()}
        name = f"made{len(list(tmp_path.glob('made*')))}"
        return publish(tmp_path, name, splits, features, spec)

    return make


@pytest.fixture(scope="session")
def real_dataset(shared_data: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Dataset]:
    """A version of a real dataset as its spec in tests/shared_specs says, of at most so many pieces; unchecked."""
    from partitioners import ExampleIds
    from specs import load_spec

    def build(name: str, max_pieces: int | None = None) -> Dataset:
        folder, before = shared_data(name), Path.cwd()
        os.chdir(folder)
        try:
            spec = load_spec(Path(__file__).parents[2] / f"shared_specs/{name}.yaml")
            features = spec.source.available_features()
            batches, group_ids = [], []
            for piece in spec.source.pieces()[:max_pieces]:
                for batch in spec.source.read(piece, features, frozenset(features)):
                    ids = ExampleIds(0, np.arange(len(batch.columns)))
                    batches.append(batch.columns)
                    group_ids += [
                        group_id or b"" for group_id in spec.partitioner.assign(batch.columns, ids).to_pylist()
                    ]
        finally:
            os.chdir(before)
        table = pa.Table.from_batches(batches).combine_chunks().to_batches()[0]
        root = tmp_path_factory.mktemp("root")
        return publish(root, name, {"train": (table, group_ids)}, features, {"text_features": spec.text_features})

    return build


def _grouped(groups: Mapping[str, Sequence[Any]], features: Mapping[str, Feature]) -> Grouped:
    group_ids = [name.encode() for name, examples in groups.items() for _ in examples]
    examples = [one if isinstance(one, Mapping) else {"text": one} for some in groups.values() for one in some]
    return pa.RecordBatch.from_pylist(examples, arrow_schema(features)), group_ids


def publish(
    root: Path,
    name: str,
    splits: Mapping[str, Grouped],
    features: Mapping[str, Feature],
    spec: Mapping[str, Any] | None = None,
) -> Dataset:
    """Publishes `name@1.0.0`, a shard a split; gives it, opened."""
    infos, contents = {}, {}
    for split, (batch, group_ids) in splits.items():
        table, shard = _arranged(encode_examples(batch, features), group_ids)
        shard_path, index_path = layout.shard_file(split, 0, 1), layout.group_table_file(split)
        index = root / f"{name}-{split}.parquet"
        write_group_table(index, [table])
        contents |= {shard_path: shard, index_path: index.read_bytes()}
        counts = {"num_groups": len(table), "num_examples": len(batch)}
        described = Shard(**describe_file(shard_path, shard).model_dump(), **counts)
        file = describe_file(index_path, contents[index_path])
        infos[split] = SplitInfo(shards=(described,), group_table=file, statistics=statistics_of(table))
    total = sum(len(batch) for batch, _ in splits.values())
    manifest = Manifest(
        name=name,
        version="1.0.0",
        digest="0" * 64,
        spec=dict(spec or {}),
        source={},
        seed=0,
        code={},
        group_feature=GROUP_ID,
        features=dict(features),
        splits=infos,
        counts=Counts(examples_in=total, examples_out=total),
    )
    store = LocalStore(root / "root")
    assert claim_version(store, f"{name}/1.0.0", manifest.digest, {})
    commit_version(store, f"{name}/1.0.0", manifest, contents)
    return groupstream.open(f"{name}@1.0.0", str(root / "root"))


def _arranged(records: pa.LargeBinaryArray, group_ids: Sequence[bytes]) -> tuple[pa.Table, bytes]:
    """The group table and the bytes of the only shard."""
    ids = list(dict.fromkeys(group_ids))
    hashes = hash_group_ids(ids, 0)
    by_hash = np.lexsort(hash_words(hashes)[::-1])
    rank_of = {ids[i]: rank for rank, i in enumerate(by_hash.tolist())}
    ranks = np.array([rank_of[i] for i in group_ids], np.int64)
    order = np.argsort(ranks, kind="stable")
    suffixes = encode_group_ids(pa.array([group_ids[i] for i in order.tolist()], pa.large_binary()))
    framed = frame_records(joined(records.take(pa.array(order)), suffixes))
    first = np.searchsorted(ranks[order], np.arange(len(ids)))
    length_bytes, counts = np.add.reduceat(byte_lengths(framed), first), np.bincount(ranks)
    columns = {
        "group_id": [ids[i] for i in by_hash.tolist()],
        "group_hash": [hashes[i].tobytes() for i in by_hash],
        "shard_index": np.zeros(len(ids), np.int32),
        "offset_bytes": np.cumsum(length_bytes) - length_bytes,
        "length_bytes": length_bytes,
        "num_examples": counts,
        "num_bytes": length_bytes - OVERHEAD_BYTES * counts,
        "num_words": np.zeros(len(ids), np.int64),
    }
    table = pa.table([pa.array(columns[field.name], field.type) for field in SCHEMA], schema=SCHEMA)
    return table, bytes(data_of(framed))


@pytest.fixture
def num_threads_left() -> Iterator[Callable[[], int]]:
    """How many threads that pack there are."""
    import threading

    def count() -> int:
        return sum(thread.name.startswith("pack") for thread in threading.enumerate())

    assert count() == 0
    yield count
    assert count() == 0
