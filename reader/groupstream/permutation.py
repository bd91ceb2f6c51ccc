"""Seeded draws that need no table and no state: a permutation of a range, and uniform numbers.

Both are functions of a seed, a name and a position. So a draw is the same on every worker and after every restart,
and whoever resumes at position k computes nothing of what came before.

Source: a permutation is an alternating Feistel network over the smallest power of two that holds the range; numbers
that fall outside are sent through again ("cycle walking", Black and Rogaway, "Ciphers with Arbitrary Finite Domains",
2002). Its round function is the finalizer of SplitMix64 (Steele, Lea and Flood, 2014). Grain shuffles in the same
way, with a block cipher instead.
"""

from __future__ import annotations

import hashlib

import numpy as np

_ROUNDS = 8  # eight 64-bit keys are one BLAKE2b digest
_SMALL = 64  # a small range is sorted by uniform numbers: a small network reaches permutations less evenly
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def permute(positions: np.ndarray, length: int, seed: int, name: str) -> np.ndarray:
    """Where each position goes in a permutation of range(length). O(1) memory a position; about 0.1 us each.

    >>> permute(np.arange(5), 5, seed=0, name="epoch 0").tolist()
    [1, 0, 4, 2, 3]

    Args:
        positions: int64[num_positions], each in [0, length).
        length: size of the range.
        seed: any 64-bit number.
        name: what is drawn, such as "epoch 3"; other names give unrelated permutations.

    Returns:
        int64[num_positions], each in [0, length).
    """
    if length <= _SMALL:
        return np.argsort(uniforms(0, length, seed, name), kind="stable")[positions]
    keys, bits = _keys(seed, name), (length - 1).bit_length()
    moved = _feistel(np.asarray(positions).astype(np.uint64), bits, keys)
    outside = np.flatnonzero(moved >= length)
    while len(outside):
        moved[outside] = _feistel(moved[outside], bits, keys)
        outside = outside[moved[outside] >= length]
    return moved.astype(np.int64)


def uniforms(start: int, count: int, seed: int, name: str) -> np.ndarray:
    """Draws number `start`, `start + 1`, ... of a sequence of uniform numbers: float64[count] in [0, 1)."""
    key = _keys(seed, name)[0]
    numbers = _mixed(key + _GOLDEN * np.arange(start, start + count, dtype=np.uint64))
    return (numbers >> np.uint64(11)) * 2.0**-53


def _feistel(numbers: np.ndarray, bits: int, keys: np.ndarray) -> np.ndarray:
    low_bits = np.uint64(bits // 2)
    low_mask = (np.uint64(1) << low_bits) - np.uint64(1)
    high_mask = (np.uint64(1) << np.uint64(bits - bits // 2)) - np.uint64(1)
    high, low = numbers >> low_bits, numbers & low_mask
    for k in range(0, _ROUNDS, 2):
        high = high ^ (_mixed(low ^ keys[k]) & high_mask)
        low = low ^ (_mixed(high ^ keys[k + 1]) & low_mask)
    return (high << low_bits) | low


def _mixed(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _keys(seed: int, name: str) -> np.ndarray:
    """uint64[8]."""
    key = (int(seed) & (1 << 64) - 1).to_bytes(8, "little")
    return np.frombuffer(hashlib.blake2b(name.encode(), digest_size=64, key=key).digest(), "<u8").astype(np.uint64)
