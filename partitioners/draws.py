"""Random draws that are functions of a seed and a name: the same on every worker, in any order, after any retry.

Source of the mixing: the finalizer of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
generators", 2014).
"""

from __future__ import annotations

import hashlib

import numpy as np

from partitioners.partitioner import ExampleIds

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def draw_words(ids: ExampleIds, seed: int, name: str) -> np.ndarray:
    """uint64[num_examples]: a random 64-bit word for each example.

    Args:
        ids: the names of the examples.
        seed: any 64-bit number.
        name: what is drawn, such as "group"; other names give unrelated draws.
    """
    key = seed_word(seed, f"{name} of piece {ids.piece_index}")
    return mixed(np.uint64(key) + _GOLDEN * ids.rows.astype(np.uint64))


def draw_uniforms(ids: ExampleIds, seed: int, name: str) -> np.ndarray:
    """float64[num_examples] in [0, 1): a uniform number for each example. See `draw_words`."""
    return unit_floats(draw_words(ids, seed, name))


def unit_floats(words: np.ndarray) -> np.ndarray:
    """float64 in [0, 1): the upper 53 bits of each word."""
    return (words >> np.uint64(11)) * 2.0**-53


def seed_word(seed: int, name: str) -> int:
    """A 64-bit word for a seed and a name."""
    key = seed.to_bytes(8, "little", signed=True)
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8, key=key).digest(), "little")


def generator(seed: int, name: str) -> np.random.Generator:
    """NumPy's generator for draws of what has a name, such as the shares of one label."""
    return np.random.default_rng(seed_word(seed, name))


def mixed(words: np.ndarray) -> np.ndarray:
    """Each word thoroughly mixed; overflow is meant."""
    with np.errstate(over="ignore"):
        words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
