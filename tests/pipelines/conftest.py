from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from groupstream import Feature, layout
from groupstream.binary import data_of, joined
from groupstream.commit import describe_file
from groupstream.examples.encoding import encode_examples, encode_group_ids
from groupstream.features import GROUP_ID, arrow_schema
from groupstream.group_order import hash_group_ids, hash_words, shard_of
from groupstream.group_table import SCHEMA, statistics_of, write_group_table
from groupstream.manifest import Counts, Manifest, Shard, SplitInfo
from groupstream.stores import LocalStore, Store
from groupstream.tfrecord import OVERHEAD_BYTES, frame_records
from pipelines.batches import Batch
from pipelines.content_store import Content
from pipelines.draft import NO_VERSION, Draft
from pipelines.tally import Tally
from sources import Piece

Splits = Mapping[str, Mapping[bytes, Sequence[Mapping[str, Any]]]]  # examples by split and group
Encode = Callable[[pa.RecordBatch, Mapping[str, Feature]], pa.LargeBinaryArray]

FEATURES = {"text": Feature(dtype="string"), "number": Feature(dtype="int64")}


@pytest.fixture
def features() -> dict[str, Feature]:
    return FEATURES


@pytest.fixture
def make_batches() -> Callable[..., list[Batch]]:
    """Batches of a made-up source: Zipf-sized groups, texts of differing lengths."""

    def make(num_pieces: int = 3, rows_a_piece: int = 400, batch_rows: int = 64, num_groups: int = 60) -> list[Batch]:
        return [
            batch
            for index in range(num_pieces)
            for batch in _batches_of_piece(index, rows_a_piece, batch_rows, num_groups)
        ]

    return make


def _batches_of_piece(index: int, rows_a_piece: int, batch_rows: int, num_groups: int) -> Iterator[Batch]:
    draw = np.random.default_rng(index)
    groups = np.minimum(draw.zipf(1.3, rows_a_piece), num_groups) - 1
    texts = [f"piece {index} row {row} " + "wörd " * int(n) for row, n in enumerate(draw.integers(0, 20, rows_a_piece))]
    for start in range(0, rows_a_piece, batch_rows):
        rows = np.arange(start, min(start + batch_rows, rows_a_piece))
        columns = pa.record_batch({"text": pa.array([texts[r] for r in rows]), "number": pa.array(rows - 100)})
        ids = pa.array([f"group {groups[r]}".encode() for r in rows])
        yield Batch(Piece(index, f"piece-{index}"), start, rows, columns, None, ids, Tally(examples_in=len(rows)))


@pytest.fixture
def jsonl_source(tmp_path: Path) -> Path:
    """A folder with three JSONL files: 900 examples in 40 groups of differing sizes."""
    import orjson

    folder = tmp_path / "source"
    folder.mkdir()
    draw = np.random.default_rng(7)
    for file in range(3):
        keys = np.minimum(draw.zipf(1.4, 300), 40)
        lines = [
            orjson.dumps({"key": f"k{k}", "text": "word " * int(k), "file": file, "row": row})
            for row, k in enumerate(keys)
        ]
        (folder / f"part-{file}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    return folder


@pytest.fixture
def make_draft(tmp_path: Path) -> Callable[..., Draft]:
    """A draft with the given examples, made without a pipeline."""

    def make(
        splits: Splits,
        features: Mapping[str, Feature],
        store: Store | None = None,
        *,
        seed: int = 0,
        num_shards: int = 2,
        encode: Encode = encode_examples,
        **fields: Any,
    ) -> Draft:
        files: dict[str, Content] = {}
        infos = {
            name: _split_of(name, groups, features, seed, num_shards, encode, tmp_path, files)
            for name, groups in splits.items()
        }
        total = sum(info.statistics.num_examples for info in infos.values())
        nothing: dict[str, Any] = {"digest": "", "spec": {}, "source": {}, "code": {}}
        manifest = Manifest(
            name=fields.pop("name", "made"),
            version=NO_VERSION,
            seed=seed,
            features=dict(features),
            group_feature=GROUP_ID,
            splits=infos,
            counts=Counts(examples_in=total, examples_out=total),
            **{**nothing, **fields},
        )
        return Draft(manifest, files, Tally(examples_in=total), store or LocalStore(tmp_path))

    return make


def _split_of(
    name: str,
    groups: Mapping[bytes, Sequence[Mapping[str, Any]]],
    features: Mapping[str, Feature],
    seed: int,
    num_shards: int,
    encode: Encode,
    folder: Path,
    files: dict[str, Content],
) -> SplitInfo:
    hashes = dict(zip(groups, hash_group_ids(groups, seed), strict=True))
    shards: list[bytes] = [b""] * num_shards
    rows = []
    for group_id in sorted(groups, key=lambda i: bytes(hashes[i])):
        examples = pa.RecordBatch.from_pylist(list(groups[group_id]), arrow_schema(features))
        suffixes = encode_group_ids(pa.array([group_id] * len(examples), pa.large_binary()))
        frames = bytes(data_of(frame_records(joined(encode(examples, features), suffixes))))
        shard_index = int(shard_of(hash_words(hashes[group_id][None])[0], num_shards)[0])
        num_bytes = len(frames) - OVERHEAD_BYTES * len(examples)
        sizes = (shard_index, len(shards[shard_index]), len(frames), len(examples), num_bytes, 0)
        rows.append(dict(zip(SCHEMA.names, (group_id, bytes(hashes[group_id]), *sizes), strict=True)))
        shards[shard_index] += frames
    table = pa.Table.from_pylist(rows, SCHEMA)
    path = Path(tempfile.mkdtemp(dir=folder)) / "table.parquet"
    write_group_table(path, [table])
    files[layout.group_table_file(name)] = path
    described = []
    for index, shard in enumerate(shards):
        file = layout.shard_file(name, index, num_shards)
        files[file] = shard
        inside = [row["num_examples"] for row in rows if row["shard_index"] == index]
        described.append(Shard(**dict(describe_file(file, shard)), num_groups=len(inside), num_examples=sum(inside)))
    index_file = describe_file(layout.group_table_file(name), path)
    return SplitInfo(shards=tuple(described), group_table=index_file, statistics=statistics_of(table))


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the temporary folders of this test lie."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder
