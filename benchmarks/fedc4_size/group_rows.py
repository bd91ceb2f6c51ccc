"""The groups of FedC4, made up, as the merge of a build finds them: the rows of each shard, in their order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from benchmarks.fedc4_size.ids import group_ids
from benchmarks.fedc4_size.names import SEED
from benchmarks.pipeline.pages import MEDIAN_PAGES, SIGMA
from groupstream.group_order import HASH_BYTES, hash_group_ids, hash_words, shard_of
from groupstream.tfrecord import OVERHEAD_BYTES
from pipelines.segments import SEGMENT_SCHEMA

EXAMPLE_BYTES, EXAMPLE_WORDS = 2_315, 360  # see docs/fedc4.md
_BLOCK = 1 << 18


def segments_by_shard(num_groups: int, num_shards: int) -> Iterator[pa.Table]:
    """The rows of each shard, one a group, in their final order. Holds about 40 bytes a group."""
    hashes = np.empty((num_groups, HASH_BYTES), np.uint8)
    for first in range(0, num_groups, _BLOCK):
        numbers = np.arange(first, min(first + _BLOCK, num_groups))
        hashes[numbers] = hash_group_ids(group_ids(numbers).to_pylist(), SEED)
    order = np.argsort(hash_words(hashes)[0], kind="stable")  # no two share the first 64 bits, but once in 10^5 times
    ends = np.searchsorted(shard_of(hash_words(hashes)[0][order], num_shards), np.arange(num_shards), "right")
    for shard, (first, last) in enumerate(zip([0, *ends.tolist()], ends.tolist(), strict=False)):
        numbers = order[first:last]
        yield _segments(numbers, hashes[numbers], np.random.default_rng([5, shard]))


def _segments(numbers: np.ndarray, hashes: np.ndarray, draw: np.random.Generator) -> pa.Table:
    count = len(numbers)
    sizes = np.maximum(1, np.rint(draw.lognormal(np.log(MEDIAN_PAGES), SIGMA, count))).astype(np.int64)
    high, low = hash_words(hashes)
    none = pa.array([[]] * count, SEGMENT_SCHEMA.field("labels").type)
    columns = {
        "hash_first": high,
        "hash_last": low,
        "length_bytes": sizes * (EXAMPLE_BYTES + OVERHEAD_BYTES),
        "num_examples": sizes,
        "num_words": sizes * EXAMPLE_WORDS,
        "group_hash": pa.Array.from_buffers(pa.binary(HASH_BYTES), count, [None, pa.py_buffer(hashes.tobytes())]),
        "group_id": group_ids(numbers).cast(pa.binary()),
        "labels": none,
        "label_examples": none.cast(SEGMENT_SCHEMA.field("label_examples").type),
    }
    zeros = {name: np.zeros(count, np.int64) for name in SEGMENT_SCHEMA.names if name not in columns}
    return pa.table(
        [pa.array({**columns, **zeros}[field.name], field.type) for field in SEGMENT_SCHEMA], schema=SEGMENT_SCHEMA
    )
