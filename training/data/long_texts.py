"""Long texts in pieces, so that the cores share them and no more of them is encoded than is needed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from groupstream.binary import byte_lengths

PIECE_LETTERS = 1 << 14

# Before a space between two letters, digits or signs of ASCII: there words end for every tokenizer of ours, and a space
# belongs to the word after it. So the ids of the pieces are together those of the text.
_BETWEEN_WORDS = re.compile("(?<=[!-~])(?= [!-~])")


def cut_long_texts(texts: pa.Array, piece_letters: int = PIECE_LETTERS) -> tuple[pa.Array, np.ndarray]:
    """Pieces of texts, and which of them end a text.

    >>> pieces, is_end = cut_long_texts(pa.array(["to be or not", "to"], pa.large_string()), 4)
    >>> pieces.to_pylist(), is_end.tolist()
    (['to be', ' or not', 'to'], [False, True, True])

    Args:
        texts: large_string without nulls.
        piece_letters: how long a piece is at least; it goes on to the next place between two words. A text that has
            no such place, as Chinese, stays whole.

    Returns:
        large_string, and bool of the same length.
    """
    is_long = byte_lengths(texts.cast(pa.large_binary())) > piece_letters
    if not is_long.any():
        return texts, np.ones(len(texts), bool)
    pieces: list[pa.Array] = []
    counts = np.ones(len(texts), np.int64)
    start = 0
    for i in np.flatnonzero(is_long).tolist():
        cut = list(_pieces(texts[i].as_py(), piece_letters))
        pieces += [texts.slice(start, i - start), pa.array(cut, pa.large_string())]
        counts[i], start = len(cut), i + 1
    pieces.append(texts.slice(start))
    is_end = np.zeros(counts.sum(), bool)
    is_end[np.cumsum(counts) - 1] = True
    return pa.concat_arrays(pieces), is_end


def _pieces(text: str, piece_letters: int) -> Iterator[str]:
    start = 0
    while found := _BETWEEN_WORDS.search(text, start + piece_letters):
        yield text[start : found.start()]
        start = found.start()
    yield text[start:]
