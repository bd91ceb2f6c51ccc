"""The groups that break a check most, and their names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from groupstream.commands.printing import cut, one_line
from groupstream.dataset import Split
from validation.group_asks import Ask
from validation.group_blocks import BLOCK

MAX_OFFENDERS = 5

_MAX_NAME = 60
_NAME_BYTES = 4 * _MAX_NAME + 4


class Offenders:
    """The worst five of a check over all blocks; of those that are as bad, the first by their hashes."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._worst = np.empty(0, BLOCK)

    def add(self, block: np.ndarray) -> None:
        """Looks at some more groups."""
        self._worst = _worst(self._ask, np.concatenate([self._worst, _worst(self._ask, block)]))

    def in_words(self, splits: Sequence[Split]) -> tuple[str, ...]:
        """Their names, and what is wrong with them. Reads a row group of a group table for each."""
        return tuple(
            f"'{shown_name(_name(splits[int(group['split'])], int(group['row'])))}' {self._ask.describe(group)}"
            for group in self._worst
        )


def shown_name(group_id: bytes) -> str:
    r"""An id of a group on one line, at most 60 characters of it.

    >>> shown_name(b"caf\xc3\xa9\n"), shown_name(b"x" * 99) == "x" * 60 + " ..."
    ('café\\n', True)
    """
    return cut(one_line(group_id[:_NAME_BYTES]), _MAX_NAME)


def _worst(ask: Ask, block: np.ndarray) -> np.ndarray:
    """The worst groups of a block, worst first."""
    badness = ask.badness(block)
    bad = np.flatnonzero(badness > 0)
    if len(bad) > MAX_OFFENDERS:
        bar = np.partition(badness[bad], -MAX_OFFENDERS)[-MAX_OFFENDERS]
        above, level = bad[badness[bad] > bar], bad[badness[bad] == bar]
        bad = np.concatenate([above, level[: MAX_OFFENDERS - len(above)]])
    return block[bad[np.lexsort((block["hash"][bad], -badness[bad]))]]


def _name(split: Split, row: int) -> bytes:
    [rows] = split.index_file.rows(row, row + 1)
    return rows.group_ids[0]
