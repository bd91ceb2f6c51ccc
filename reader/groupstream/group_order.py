"""Where a group lies: one keyed hash of its id gives its shard, its place in the shard, and its look-up.

The hash is 128-bit BLAKE2b, keyed by the seed of the dataset. Groups stand in ascending order of their
hash over all shards of a split, so the stored order is already a random order. Shard i of n holds the
hashes whose first 64 bits are in [i * 2**64 / n, (i + 1) * 2**64 / n).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

HASH_BYTES = 16


def hash_group_ids(group_ids: Iterable[bytes], seed: int) -> np.ndarray:
    """The hash of each id, as uint8[num_groups, 16]."""
    key = seed.to_bytes(8, "little", signed=True)
    digests = b"".join(hashlib.blake2b(g, digest_size=HASH_BYTES, key=key).digest() for g in group_ids)
    return np.frombuffer(digests, np.uint8).reshape(-1, HASH_BYTES)


def hash_words(hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last 64 bits of each hash as numbers that sort as the bytes do.

    Args:
        hashes: uint8[num_groups, 16].
    """
    words = np.ascontiguousarray(hashes).view(">u8").astype(np.uint64)
    return words[:, 0], words[:, 1]


def shard_bounds(num_shards: int) -> np.ndarray:
    """uint64[num_shards - 1]: the smallest first word of the shards 1, 2, ..., num_shards - 1."""
    return np.array([-(-(i << 64) // num_shards) for i in range(1, num_shards)], np.uint64)


def shard_of(first_words: np.ndarray, num_shards: int) -> np.ndarray:
    """int64[num_groups]: the shard of each group."""
    return np.searchsorted(shard_bounds(num_shards), first_words, side="right")
