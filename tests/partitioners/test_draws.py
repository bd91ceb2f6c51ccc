"""Draws that are functions of a seed and a name."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from partitioners.key_words import key_words

_KEYS = [b"", b"a", b"a\0", b"b", b"12345678", b"123456789", b"12345678\0", b"x" * 256, b"x" * 257, b"x" * 1000]


def _words(keys: list[bytes | None], seed: int = 5) -> list[int]:
    return key_words(pa.array(keys, pa.binary()), seed).tolist()


def test_word_of_a_key_depends_on_nothing_else() -> None:
    alone = [_words([key])[0] for key in _KEYS]
    assert len(set(alone)) == len(_KEYS)
    assert _words([*_KEYS[::-1], None, *_KEYS])[-len(_KEYS) :] == alone
    assert key_words(pa.array([b"before", *_KEYS, b"after"]).slice(1, len(_KEYS)), 5).tolist() == alone


def test_words_are_the_same_for_ever() -> None:
    """Published versions rest on them."""
    assert _words([b"", b"a", b"example 12345", b"x" * 300]) == [
        13168350753275463132,
        15336328097353038401,
        12265521918023904600,
        2378049381421302348,
    ]


def test_another_seed_gives_unrelated_words() -> None:
    some, others = (np.array(_words([b"%d" % i for i in range(10_000)], seed), np.uint64) for seed in (0, 1))
    ones = np.bitwise_count(some ^ others)
    assert abs(ones.mean() - 32) <= 4 * 4 / np.sqrt(len(ones))


@pytest.mark.parametrize("shape", ["{}", "{:08}", "user-with-a-long-name-{}", "{}" + "z" * 300])
def test_each_bit_of_a_word_is_a_fair_coin(shape: str) -> None:
    words = np.array(_words([shape.format(i).encode() for i in range(20_000)]), np.uint64)
    ones = [int(((words >> np.uint64(bit)) & np.uint64(1)).sum()) for bit in range(64)]
    assert all(abs(n - 10_000) <= 4.5 * np.sqrt(5_000) for n in ones)
    assert len(set(words.tolist())) == 20_000


def test_no_keys_give_no_words() -> None:
    assert _words([]) == []
    assert key_words(pa.array([b"a"]).slice(1), 0).tolist() == []
