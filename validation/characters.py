"""Where the letters, digits and white space of a text are. Found for many texts at once, on the bytes of UTF-8.

A character of several bytes is marked at its first byte; white space at all its bytes.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

SPACE, LETTER, DIGIT, CONTROL = (np.uint8(1 << bit) for bit in range(4))

_ASSIGNED = (range(0x40000), range(0xE0000, 0xE1000))  # the planes that hold letters, and what marks them
_NUM_CODEPOINTS = 0x110000


class Wide(NamedTuple):
    """The characters that take several bytes.

    Attributes:
        positions: int64[num_characters], of their first bytes, ascending.
        widths: uint8[num_characters], 2 to 4 bytes.
        codepoints: int32[num_characters].
        flags: uint8[num_characters], as `flags_of`.
    """

    positions: np.ndarray
    widths: np.ndarray
    codepoints: np.ndarray
    flags: np.ndarray


def flags_of(codepoint: int) -> int:
    """What a character is: white space as `str.isspace` says it, all else by its Unicode category.

    A mark, which Unicode puts after the letter that it changes, counts as a letter: most vowels of Hindi are marks.
    Tabs and the ends of lines are no control characters.
    """
    character = chr(codepoint)
    category = unicodedata.category(character)
    flags = SPACE if character.isspace() else 0
    if category[0] in "LM":
        flags |= LETTER
    if category == "Nd":
        flags |= DIGIT
    if category == "Cc" and character not in "\t\n\r":
        flags |= CONTROL
    return int(flags)


def find_wide(data: np.ndarray) -> Wide | None:
    """The characters of several bytes, None where there are none.

    Args:
        data: uint8, valid UTF-8.
    """
    positions = np.flatnonzero(data >= 0xC0)
    if not len(positions):
        return None
    first = data[positions]
    widths = 2 + (first >= 0xE0) + (first >= 0xF0).astype(np.uint8)
    codepoints = (first & (0x7F >> widths)).astype(np.int32)
    for behind in range(1, int(widths.max())):
        there = slice(None) if behind == 1 else widths > behind
        codepoints[there] = codepoints[there] << 6 | data[positions[there] + behind] & 0x3F
    return Wide(positions, widths, codepoints, _flags()[codepoints])


def where(flag: np.uint8, data: np.ndarray, wide: Wide | None) -> np.ndarray:
    """bool[len(data)]: where the characters of a kind are."""
    mask = _ASCII[int(flag)](data)
    if wide is not None:
        (found,) = (wide.flags & flag).nonzero()
        mask[wide.positions[found]] = True
        if flag == SPACE:
            for behind in range(1, 4):
                mask[wide.positions[found[wide.widths[found] > behind]] + behind] = True
    return mask


_ASCII: dict[int, Callable[[np.ndarray], np.ndarray]] = {  # what is less than the subtracted wraps to the far end
    int(SPACE): lambda data: (data == 32) | (data - np.uint8(9) < 5) | (data - np.uint8(28) < 4),
    int(LETTER): lambda data: (data | np.uint8(32)) - np.uint8(97) < 26,
    int(DIGIT): lambda data: data - np.uint8(48) < 10,
    int(CONTROL): lambda data: (data < 32) & (data != 9) & (data != 10) & (data != 13) | (data == 127),
}


@functools.cache
def _flags() -> np.ndarray:
    """uint8[num_codepoints]; made in about 50 ms, once, where a text is not all ASCII."""
    table = np.zeros(_NUM_CODEPOINTS, np.uint8)
    for codepoints in _ASSIGNED:
        flags = np.fromiter(map(flags_of, codepoints), np.uint8, len(codepoints))
        table[codepoints.start : codepoints.stop] = flags
    return table
