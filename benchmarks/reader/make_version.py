"""Makes a version of synthetic examples: the same bytes for the same arguments, written as a stream.

python -m benchmarks.reader.make_version /tmp/bench zipf --examples 100000 --groups 8500 --bytes 512
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from groupstream import layout
from groupstream.binary import byte_lengths, data_of, joined
from groupstream.commit import claim_version, commit_version, describe_file
from groupstream.examples.encoding import encode_examples, encode_group_ids
from groupstream.features import GROUP_ID, Feature
from groupstream.group_order import hash_group_ids, hash_words, shard_of
from groupstream.group_table import SCHEMA, statistics_of, write_group_table
from groupstream.manifest import Counts, Manifest, Shard, SplitInfo, canonical_json
from groupstream.stores import LocalStore
from groupstream.tfds_metadata import dataset_info_json, features_json
from groupstream.tfrecord import OVERHEAD_BYTES, frame_records

FEATURES = {
    "text": Feature(dtype="string"),
    "topic": Feature(dtype="string"),
    "year": Feature(dtype="int64"),
    "scores": Feature(dtype="float32", shape=(None,)),
}
_WORDS = np.array([b"group", b"client", b"cohort", b"round", b"shard", b"example", b"stream", b"version"], object)
_BATCH_BYTES = 16 << 20


def zipf_sizes(num_examples: int, num_groups: int) -> np.ndarray:
    """int64[num_groups]: sizes proportional to 1 / rank, at least 1, which add up to num_examples."""
    shares = 1 / np.arange(1, num_groups + 1)
    sizes = np.ones(num_groups, np.int64) + np.floor(shares / shares.sum() * (num_examples - num_groups)).astype(
        np.int64
    )
    sizes[0] += num_examples - sizes.sum()
    return sizes


def make_version(root: Path, name: str, sizes: np.ndarray, example_bytes: int, shard_bytes: int = 64 << 20) -> Path:
    """Publishes `name@1.0.0` under `root`, if it is not there, and gives its folder.

    Args:
        sizes: int64[num_groups], examples of each group.
        example_bytes: about, of each serialised example.
        shard_bytes: about, of each shard.
    """
    folder = f"{name}/1.0.0"
    if (root / folder / layout.MANIFEST).exists():
        return root / folder
    num_shards = max(1, int(sizes.sum()) * (example_bytes + OVERHEAD_BYTES) // shard_bytes)
    ids = np.array([b"group-%08d" % i for i in range(len(sizes))], object)
    hashes = hash_group_ids(ids, 0)
    order = np.lexsort(hash_words(hashes)[::-1])
    shards = shard_of(hash_words(hashes)[0][order], num_shards)
    (root / folder).mkdir(parents=True, exist_ok=True)
    described, tables, sources = [], [], {}
    for shard in range(num_shards):
        path = root / f".{name}-{shard}"
        rows = order[shards == shard]
        tables.append(_write_shard(path, shard, ids[rows], hashes[rows], sizes[rows], example_bytes))
        file = layout.shard_file("train", shard, num_shards)
        counts = {"num_groups": len(rows), "num_examples": int(sizes[rows].sum())}
        described.append(Shard(**describe_file(file, path).model_dump(), **counts))
        sources[file] = path
    _publish(root, folder, name, pa.concat_tables(tables), described, sources)
    return root / folder


def _write_shard(
    path: Path, shard: int, ids: np.ndarray, hashes: np.ndarray, sizes: np.ndarray, example_bytes: int
) -> pa.Table:
    lengths = np.zeros(len(ids), np.int64)
    with open(path, "wb") as out:
        for first, counts in _batches(sizes, max(1, _BATCH_BYTES // example_bytes)):
            owners = np.repeat(np.arange(first, first + len(counts)), counts)
            suffixes = encode_group_ids(pa.array(ids[owners].tolist(), pa.large_binary()))
            framed = frame_records(joined(_examples(len(owners), shard + int(first), example_bytes), suffixes))
            out.write(data_of(framed))
            np.add.at(lengths, owners, byte_lengths(framed))
    columns = {
        "group_id": pa.array(ids.tolist(), pa.binary()),
        "group_hash": pa.array([h.tobytes() for h in hashes], SCHEMA.field("group_hash").type),
        "shard_index": np.full(len(ids), shard, np.int32),
        "offset_bytes": np.cumsum(lengths) - lengths,
        "length_bytes": lengths,
        "num_examples": sizes,
        "num_bytes": lengths - OVERHEAD_BYTES * sizes,
        "num_words": np.zeros(len(ids), np.int64),
    }
    return pa.table([pa.array(columns[field.name], field.type) for field in SCHEMA], schema=SCHEMA)


def _batches(sizes: np.ndarray, max_examples: int) -> Iterator[tuple[int, np.ndarray]]:
    """First group and how many examples of it and of each that follows: at most max_examples together."""
    first, counts, room = 0, [], max_examples
    for group, size in enumerate(sizes.tolist()):
        while size:
            if not counts:
                first = group
            taken = min(size, room)
            counts.append(taken)
            size, room = size - taken, room - taken
            if not room:
                yield first, np.array(counts)
                counts, room = [], max_examples
    if counts:
        yield first, np.array(counts)


def _examples(count: int, seed: int, example_bytes: int) -> pa.LargeBinaryArray:
    draw = np.random.default_rng(seed)
    text_bytes = max(8, example_bytes - 110)
    page = b" ".join(_WORDS[draw.integers(0, len(_WORDS), 2 * text_bytes // 6 + 200)])
    starts = draw.integers(0, len(page) - text_bytes, count) if len(page) > text_bytes else np.zeros(count, np.int64)
    scores = draw.random(3 * count, np.float32)
    batch = {
        "text": pa.array([page[a : a + text_bytes] for a in starts.tolist()], pa.string()),
        "topic": pa.array(_WORDS[draw.integers(0, len(_WORDS), count)].tolist(), pa.string()),
        "year": pa.array(draw.integers(1900, 2026, count)),
        "scores": pa.ListArray.from_arrays(np.arange(count + 1, dtype=np.int32) * 3, scores),
    }
    return encode_examples(pa.record_batch(batch), FEATURES)


def _publish(
    root: Path, folder: str, name: str, table: pa.Table, shards: list[Shard], sources: dict[str, Path | bytes]
) -> None:
    index_file = layout.group_table_file("train")
    index = root / f".{name}-index"
    write_group_table(index, [table])
    split = SplitInfo(
        shards=tuple(shards), group_table=describe_file(index_file, index), statistics=statistics_of(table)
    )
    count = split.statistics.num_examples
    metadata: dict[str, bytes] = {
        "features.json": canonical_json(features_json(FEATURES)),
        "dataset_info.json": canonical_json(
            dataset_info_json(name, "1.0.0", "Made for a benchmark.", {"train": split})
        ),
    }
    manifest = Manifest(
        name=name,
        version="1.0.0",
        digest="0" * 64,
        spec={},
        source={},
        code={},
        seed=0,
        features=FEATURES,
        group_feature=GROUP_ID,
        splits={"train": split},
        counts=Counts(examples_in=count, examples_out=count),
        files=tuple(describe_file(path, content) for path, content in metadata.items()),
    )
    store = LocalStore(root)
    claim_version(store, folder, manifest.digest, {})
    commit_version(store, folder, manifest, {**sources, index_file: index, **metadata})
    for path in itertools.chain(sources.values(), [index]):
        if isinstance(path, Path):
            path.unlink()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("name")
    parser.add_argument("--examples", type=int, default=100_000)
    parser.add_argument("--groups", type=int, default=8_500)
    parser.add_argument("--bytes", type=int, default=512)
    given = parser.parse_args()
    print(make_version(given.root, given.name, zipf_sizes(given.examples, given.groups), given.bytes))
