"""Texts in numbers: words, letters, repeated lines. For a whole column at once, without a Python loop over its texts.

The bytes of the column are looked at in blocks of whole texts, small enough for the cache of a core, with a bit for
each byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

import numpy as np
import pyarrow as pa

from groupstream.binary import byte_offsets, data_of, gather
from validation.bits import after_runs, at_or_after, counts_before, last_before, marked, packed, positions_of, shifted
from validation.characters import CONTROL, DIGIT, LETTER, SPACE, find_wide, where

_BLOCK_BYTES = 1 << 20  # a text that is longer is a block of its own


class Block:
    """Some texts, one after the other, and what several measures need of them: each is found once, if at all.

    Args:
        data: uint8, their bytes.
        offsets: int64[num_texts + 1], where each begins in `data`, and where the last ends.
    """

    def __init__(self, data: np.ndarray, offsets: np.ndarray) -> None:
        self.data = data
        self.offsets = offsets
        self.num_texts = len(offsets) - 1
        self.wide = find_wide(data)

    def where(self, flag: np.uint8) -> np.ndarray:
        """Bits: where the characters of a kind are."""
        return packed(where(flag, self.data, self.wide))

    @cached_property
    def begins(self) -> np.ndarray:
        """Bits: where a text begins that is not empty."""
        starts = self.offsets[:-1]
        return marked(len(self.data), starts[starts < self.offsets[1:]])

    @cached_property
    def in_word(self) -> np.ndarray:
        """Bits: where there is no white space."""
        return packed(~where(SPACE, self.data, self.wide))

    @cached_property
    def continues(self) -> np.ndarray:
        """Bits: where a word goes on that began before."""
        return self.in_word & shifted(self.in_word) & ~self.begins

    @cached_property
    def num_words(self) -> np.ndarray:
        """int64[num_texts]."""
        return self.count(self.in_word & ~self.continues)

    @cached_property
    def inside(self) -> np.ndarray:
        """Bits: where a character goes on that began before."""
        return packed((self.data & np.uint8(0xC0)) == 0x80)

    @cached_property
    def num_visible(self) -> np.ndarray:
        """int64[num_texts]: characters that are no white space."""
        return self.count(self.in_word if self.wide is None else self.in_word & ~self.inside)

    def count(self, bits: np.ndarray) -> np.ndarray:
        """int64[num_texts]: how many bits of each text are set."""
        return np.diff(counts_before(bits, self.offsets))

    def texts_at(self, positions: np.ndarray) -> np.ndarray:
        """int64[num_positions]: the text that each position lies in."""
        return np.searchsorted(self.offsets, positions, side="right") - 1


Measure = Callable[[Block, float], np.ndarray]


def measure_texts(texts: pa.Array, measures: Mapping[str, tuple[Measure, float]]) -> dict[str, pa.Array]:
    """Some measures of each text; null where the text is null, or where there is nothing to measure.

    Args:
        texts: valid UTF-8; one or more.
        measures: by name, the measure and the limit that it may stop at.
    """
    values = texts.cast(pa.large_binary()).fill_null(b"")
    offsets = byte_offsets(values)
    data = np.frombuffer(data_of(values), np.uint8)
    found: dict[str, list[np.ndarray]] = {name: [] for name in measures}
    for block in _blocks(data, offsets - offsets[0]):
        for name, (measure, limit) in measures.items():
            found[name].append(measure(block, limit))
    is_null = texts.is_null().to_numpy(zero_copy_only=False)
    return {name: _with_nulls(np.concatenate(parts), is_null) for name, parts in found.items()}


def _with_nulls(values: np.ndarray, is_null: np.ndarray) -> pa.Array:
    missing = is_null | np.isnan(values) if values.dtype.kind == "f" else is_null
    return pa.array(values, mask=missing if missing.any() else None)


def _blocks(data: np.ndarray, offsets: np.ndarray) -> Iterator[Block]:
    start = 0
    while start + 1 < len(offsets):
        full = int(np.searchsorted(offsets, offsets[start] + _BLOCK_BYTES, side="right")) - 1
        stop = max(start + 1, full)
        begin, end = offsets[start], offsets[stop]
        yield Block(data[begin:end], offsets[start : stop + 1] - begin)
        start = stop


def num_words(block: Block, limit: float) -> np.ndarray:
    """int64[num_texts]: stretches between white space."""
    return block.num_words


def mean_word_length(block: Block, limit: float) -> np.ndarray:
    """float64[num_texts]: in characters; NaN where there is no word."""
    return _ratio(block.num_visible, block.num_words)


def longest_word(block: Block, limit: float) -> np.ndarray:
    """int64[num_texts]: characters of the longest word; 0 where no word has more bytes than the limit."""
    found = np.zeros(block.num_texts, np.int64)
    positions = positions_of(after_runs(block.continues, int(limit)))
    if len(positions):
        starts = np.unique(last_before(block.in_word & ~block.continues, positions + 1))
        ends = at_or_after(~block.continues, starts + 1)
        lengths = ends - starts - (counts_before(block.inside, ends) - counts_before(block.inside, starts))
        np.maximum.at(found, block.texts_at(starts), lengths)
    return found


def share_of_letters(block: Block, limit: float) -> np.ndarray:
    """float64[num_texts]: of the characters that are no white space; NaN where there are none."""
    return _ratio(block.count(block.where(LETTER)), block.num_visible)


def share_of_digits(block: Block, limit: float) -> np.ndarray:
    """float64[num_texts]: as `share_of_letters`."""
    return _ratio(block.count(block.where(DIGIT)), block.num_visible)


def share_of_repeated_lines(block: Block, limit: float) -> np.ndarray:
    """float64[num_texts]: lines that stood in the text before, of those that are not empty; NaN where there are none.

    White space at both ends of a line does not count.
    """
    num_lines = (block.num_words > 0).astype(np.int64)  # of texts of one line
    num_repeated = np.zeros(block.num_texts, np.int64)
    newlines = np.flatnonzero((block.data == 10) | (block.data == 13))
    several = np.flatnonzero(np.diff(np.searchsorted(newlines, block.offsets)))
    if len(several):
        texts, begins, ends = _lines(block, newlines, several)
        num_lines[several] = np.bincount(texts, minlength=block.num_texts)[several]
        texts, begins, ends = _of_equal_length(texts, begins, ends)
        codes = gather(pa.py_buffer(block.data), begins, ends).dictionary_encode().indices.to_numpy()
        different = np.unique(texts * (len(codes) + 1) + codes) // (len(codes) + 1)
        num_repeated = np.bincount(texts, minlength=block.num_texts)
        num_repeated -= np.bincount(different, minlength=block.num_texts)
    return _ratio(num_repeated, num_lines)


_Lines = tuple[np.ndarray, np.ndarray, np.ndarray]  # int64[num_lines]: the text, where its words begin and end


def _lines(block: Block, newlines: np.ndarray, several: np.ndarray) -> _Lines:
    """The lines that are not empty, of some texts."""
    starts = np.sort(np.concatenate([block.offsets[several], newlines + 1]))
    ends = np.sort(np.concatenate([block.offsets[several + 1], newlines]))
    texts = np.sort(np.concatenate([several, block.texts_at(newlines)]))
    begins = at_or_after(block.in_word, starts)
    some = begins < ends
    return texts[some], begins[some], last_before(block.in_word, ends[some]) + 1


def _of_equal_length(texts: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> _Lines:
    """The lines that are as long as another one of their text: only they may be repeated."""
    lengths = ends - begins
    keys = texts * (lengths.max(initial=0) + 1) + lengths
    order = np.argsort(keys, kind="stable")
    same = np.diff(keys[order]) == 0
    twice = np.zeros(len(keys), bool)
    twice[order[1:][same]] = twice[order[:-1][same]] = True
    return texts[twice], begins[twice], ends[twice]


def longer_runs(block: Block, limit: float) -> np.ndarray:
    """int64[num_texts]: 0 where no character but white space is repeated more than `limit` times in a row."""
    again = np.zeros(len(block.data), bool)
    np.equal(block.data[1:], block.data[:-1], out=again[1:])
    if block.wide is not None:
        again &= block.data < 0x80
    found = block.count(after_runs(packed(again) & block.in_word & ~block.begins, int(limit)))
    if block.wide is not None:
        found += np.bincount(block.texts_at(_long_wide_runs(block, int(limit))), minlength=block.num_texts)
    return found


def _long_wide_runs(block: Block, limit: int) -> np.ndarray:
    """Positions in runs of a character of several bytes that are longer than the limit."""
    assert block.wide is not None
    positions, widths, codepoints, flags = block.wide
    again = np.zeros(len(positions), bool)
    again[1:] = (codepoints[1:] == codepoints[:-1]) & (np.diff(positions) == widths[:-1])
    again &= ((flags & SPACE) == 0) & ~np.isin(positions, block.offsets[:-1])
    return positions[positions_of(after_runs(packed(again), limit))]


def num_control_characters(block: Block, limit: float) -> np.ndarray:
    """int64[num_texts]: characters of the category Cc that are neither tabs nor ends of lines."""
    return block.count(block.where(CONTROL))


def num_replacement_characters(block: Block, limit: float) -> np.ndarray:
    """int64[num_texts]: U+FFFD."""
    if block.wide is None:
        return np.zeros(block.num_texts, np.int64)
    found = block.wide.positions[block.wide.codepoints == 0xFFFD]
    return np.bincount(block.texts_at(found), minlength=block.num_texts)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """NaN where there is no whole."""
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
