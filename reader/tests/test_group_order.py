from __future__ import annotations

import hashlib
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupstream.group_order import hash_group_ids, hash_words, shard_bounds, shard_of


@pytest.mark.parametrize(
    ("group_id", "seed", "expected"),
    [
        (b"json", 0, "29dc8c2f8e9a38b0e7a1b1b6bbddefc3"),
        (b"json", 1, "590b16a243599e73ce014e072da10a71"),
        (b"json", -1, "95ec380e7fd76ddc31bf88e60e29806b"),
        (b"", 0, "f131e5cf4cd41c63b2da8846589c3fab"),
        ("山田".encode(), 2**63 - 1, "5e7790b7ce2c0a42fb19b47bb59a6df7"),
    ],
)
def test_the_hash_of_a_group_never_changes(group_id: bytes, seed: int, expected: str) -> None:
    assert hash_group_ids([group_id], seed)[0].tobytes().hex() == expected


@given(st.lists(st.binary(max_size=30)), st.integers(-(2**63), 2**63 - 1))
def test_a_hash_is_keyed_blake2b(group_ids: list[bytes], seed: int) -> None:
    hashes = hash_group_ids(group_ids, seed)
    key = seed.to_bytes(8, "little", signed=True)
    assert hashes.shape == (len(group_ids), 16)
    assert [h.tobytes() for h in hashes] == [hashlib.blake2b(g, digest_size=16, key=key).digest() for g in group_ids]


@given(st.lists(st.binary(max_size=4), min_size=1), st.randoms(use_true_random=False))
def test_the_hash_of_a_group_does_not_depend_on_the_others(group_ids: list[bytes], shuffle: random.Random) -> None:
    shuffled = group_ids.copy()
    shuffle.shuffle(shuffled)
    together = dict(zip(shuffled, (h.tobytes() for h in hash_group_ids(shuffled, 5)), strict=True))
    assert together == {g: hash_group_ids([g], 5)[0].tobytes() for g in group_ids}


@given(st.lists(st.binary(min_size=16, max_size=16)))
def test_words_sort_as_the_bytes_do(hashes: list[bytes]) -> None:
    first, last = hash_words(np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, 16))
    by_words = np.lexsort((last, first))
    assert [hashes[i] for i in by_words] == sorted(hashes)


@given(st.lists(st.integers(0, 2**64 - 1)), st.integers(1, 5000))
def test_a_shard_is_its_share_of_the_range(first_words: list[int], num_shards: int) -> None:
    found = shard_of(np.array(first_words, np.uint64), num_shards)
    assert found.tolist() == [word * num_shards >> 64 for word in first_words]


@pytest.mark.parametrize("num_shards", [1, 2, 3, 7, 1000, 99999])
def test_the_bounds_cut_the_range_into_shards(num_shards: int) -> None:
    bounds = [int(b) for b in shard_bounds(num_shards)]
    assert bounds == sorted(set(bounds))
    edges = np.array([0, *bounds, *(b - 1 for b in bounds), 2**64 - 1], np.uint64)
    inside = [0, *range(1, num_shards), *range(num_shards - 1), num_shards - 1]
    assert shard_of(edges, num_shards).tolist() == inside


def test_the_shards_are_about_equal() -> None:
    num_groups, num_shards = 100_000, 16
    first, last = hash_words(hash_group_ids([b"%d" % i for i in range(num_groups)], 0))
    counts = np.bincount(shard_of(first, num_shards), minlength=num_shards)
    sigma = math.sqrt(num_groups / num_shards)
    assert abs(counts - num_groups / num_shards).max() < 5 * sigma
    assert len(np.unique(np.stack([first, last]), axis=1)[0]) == num_groups


def test_another_seed_is_another_order() -> None:
    ids = [b"%d" % i for i in range(1000)]
    orders = [np.argsort(hash_words(hash_group_ids(ids, seed))[0]) for seed in (0, 1)]
    assert abs(np.corrcoef(*orders)[0, 1]) < 5 / math.sqrt(1000)


def test_a_seed_beyond_64_bits_is_refused() -> None:
    with pytest.raises(OverflowError):
        hash_group_ids([b"x"], 2**63)
