"""The measures of texts, against plain Python that says what they are."""

from __future__ import annotations

import math
import sys
import unicodedata
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from validation import text_measures
from validation.bits import after_runs, at_or_after, counts_before, last_before, marked, packed, positions_of, shifted
from validation.characters import CONTROL, DIGIT, LETTER, SPACE, find_wide, flags_of, where
from validation.text_measures import measure_texts

# Letters, digits and spaces of one to four bytes; a mark, a character whose last byte is that of another, line ends
_ALPHABET = "aab  \t\n\r\x0b\x1c\x85\xa00٣é\u0301\u3000漢😀😁\ufffd\x00\x7f.\u200b"
_TEXTS = st.lists(st.text(_ALPHABET, max_size=40) | st.text(max_size=12) | st.none(), min_size=3, max_size=8)


def mean_word_length(text: str) -> float | None:
    words = text.split()
    return sum(map(len, words)) / len(words) if words else None


def share(text: str, is_one: object) -> float | None:
    visible = [c for c in text if not c.isspace()]
    return sum(map(is_one, visible)) / len(visible) if visible else None  # type: ignore[call-overload]


def is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LM"


def is_control(character: str) -> bool:
    return unicodedata.category(character) == "Cc" and character not in "\t\n\r"


def share_of_repeated_lines(text: str) -> float | None:
    lines = [line.strip() for line in text.replace("\r", "\n").split("\n") if line.strip()]
    return 1 - len(set(lines)) / len(lines) if lines else None


def longest_run(text: str) -> int:
    return max((len(list(run)) for c, run in groupby(text) if not c.isspace()), default=0)


EXACT = {
    "num_words": lambda text: len(text.split()),
    "mean_word_length": mean_word_length,
    "share_of_letters": lambda text: share(text, is_letter),
    "share_of_digits": lambda text: share(text, str.isdecimal),
    "share_of_repeated_lines": share_of_repeated_lines,
    "num_control_characters": lambda text: sum(map(is_control, text)),
    "num_replacement_characters": lambda text: text.count("\ufffd"),
}


def measured(name: str, texts: list[str | None], limit: float = 0, cut: slice = slice(None)) -> list[float | None]:
    column = pa.array(texts, pa.string())[cut]
    return measure_texts(column, {"it": (getattr(text_measures, name), limit)})["it"].to_pylist()


@pytest.mark.parametrize("name", EXACT)
@settings(max_examples=150, deadline=None)
@given(texts=_TEXTS, start=st.integers(0, 2), block_bytes=st.sampled_from([1, 16, 1 << 18]))
def test_measure_is_what_plain_python_says(name: str, texts: list[str | None], start: int, block_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_measures, "_BLOCK_BYTES", block_bytes)
        found = measured(name, texts, cut=slice(start, None))
    expected = [None if text is None else EXACT[name](text) for text in texts[start:]]
    assert [value is None for value in found] == [value is None for value in expected]
    assert all(math.isclose(a, b) for a, b in zip(found, expected, strict=True) if a is not None)


@settings(max_examples=200, deadline=None)
@given(texts=_TEXTS, limit=st.integers(1, 12))
def test_longest_word_is_exact_where_it_is_beyond_the_limit(texts: list[str | None], limit: int) -> None:
    for text, found in zip(texts, measured("longest_word", texts, limit), strict=True):
        longest = max(map(len, text.split()), default=0) if text is not None else None
        assert found == longest if text is None or longest > limit else found <= limit


@settings(max_examples=200, deadline=None)
@given(
    texts=st.lists(
        st.lists(st.tuples(st.sampled_from("a é漢😀b"), st.integers(1, 9)), max_size=5), min_size=1, max_size=4
    ),
    limit=st.integers(1, 9),
)
def test_longer_runs_are_found(texts: list[list[tuple[str, int]]], limit: int) -> None:
    made = ["".join(character * times for character, times in text) for text in texts]
    assert [n > 0 for n in measured("longer_runs", made, limit)] == [longest_run(text) > limit for text in made]


def test_runs_and_words_end_where_their_text_ends() -> None:
    assert measured("longer_runs", ["aa", "aa", "éé", "éé"], 2) == [0, 0, 0, 0]
    assert measured("longest_word", ["aaa", "aaa", "éé", "é"], 3) == [0, 0, 2, 0]  # of 4 bytes
    assert measured("num_words", ["a", "", "b", None, "c d"]) == [1, 0, 1, None, 2]


def test_flags_of_every_character_are_those_of_unicode() -> None:
    every = [chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c < 0xE000]
    data = np.frombuffer("".join(every).encode(), np.uint8)
    starts = np.cumsum([0, *(len(c.encode()) for c in every[:-1])])
    wide = find_wide(data)
    for flag in (SPACE, LETTER, DIGIT, CONTROL):
        expected = [c for c in every if flags_of(ord(c)) & flag]
        assert [every[i] for i in np.flatnonzero(where(flag, data, wide)[starts])] == expected
        assert len(expected) > 20


_MASKS = st.lists(st.booleans(), min_size=1, max_size=300)


@settings(max_examples=200, deadline=None)
@given(mask=_MASKS, data=st.data())
def test_bits_answer_as_masks_do(mask: list[bool], data: st.DataObject) -> None:
    bits, length = packed(np.array(mask)), len(mask)
    positions = np.array(data.draw(st.lists(st.integers(0, length), max_size=5)), np.int64)
    (expected,) = np.nonzero(mask)
    assert positions_of(bits).tolist() == expected.tolist()
    assert (marked(length, expected) == bits).all()
    assert counts_before(bits, positions).tolist() == [sum(mask[:p]) for p in positions]
    after = [next((i for i in range(p, length) if mask[i]), None) for p in positions.tolist()]
    found = at_or_after(bits, positions).tolist()
    assert [f if f < length else None for f in found] == after
    before = [next((i for i in reversed(range(p)) if mask[i]), -1) for p in positions.tolist()]
    assert last_before(bits, positions).tolist() == before
    by, run = data.draw(st.integers(0, 140)), data.draw(st.integers(1, 140))
    assert [p for p in positions_of(shifted(bits, by)) if p < length] == [i + by for i in expected if i + by < length]
    runs = [i for i in range(length) if i + 1 >= run and all(mask[i + 1 - run : i + 1])]
    assert positions_of(after_runs(bits, run)).tolist() == runs


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["books_md", "wiki_en2015"])
def test_measures_of_real_texts_are_what_plain_python_says(name: str, shared_data: Callable[[str], Path]) -> None:
    files = sorted(file for file in shared_data(name).rglob("*") if file.is_file() and file.name != "README.md")[:8]
    texts = [text for file in files for text in file.read_text(encoding="utf-8").split("\n\n\n")]
    for measure, exact in EXACT.items():
        found = measured(measure, texts)
        assert found == pytest.approx([exact(text) for text in texts])
    assert len(texts) >= 8
