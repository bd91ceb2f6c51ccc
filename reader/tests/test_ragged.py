"""Lists of differing lengths."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from groupstream.ragged import Ragged

LISTS = [[1, 2], [], [3], [4, 5, 6], []]


@pytest.fixture
def ragged() -> Ragged:
    return Ragged(np.arange(0, 8), np.array([1, 3, 3, 4, 7, 7], np.int32))


def test_it_is_a_sequence_of_arrays(ragged: Ragged) -> None:
    assert len(ragged) == 5
    assert ragged.tolist() == LISTS
    assert [ragged[i].tolist() for i in range(5)] == LISTS
    assert [ragged[i].tolist() for i in range(-5, 0)] == LISTS
    assert [a.tolist() for a in reversed(ragged)] == LISTS[::-1]
    assert np.shares_memory(ragged[0], ragged.values)
    for beyond in (5, -6):
        with pytest.raises(IndexError):
            ragged[beyond]


@pytest.mark.parametrize("start", [None, 0, 2, 5, 9, -2])
@pytest.mark.parametrize("stop", [None, 0, 1, 4, 9, -1])
def test_slices_are_those_of_a_list(ragged: Ragged, start: int | None, stop: int | None) -> None:
    part = ragged[start:stop]
    assert part.tolist() == LISTS[start:stop]
    assert part.values.tolist() == [*itertools.chain(*LISTS[start:stop])]
    assert part.offsets.tolist() == np.cumsum([0, *map(len, LISTS[start:stop])]).tolist()
    assert part.lengths.tolist() == [len(items) for items in LISTS[start:stop]]


def test_steps_are_refused(ragged: Ragged) -> None:
    with pytest.raises(IndexError, match="steps of 1, this is a step of 2"):
        ragged[::2]


def test_joined_parts_follow_each_other(ragged: Ragged) -> None:
    joined = Ragged.joined([ragged[3:], ragged[:0], ragged[:2]])
    assert joined.tolist() == LISTS[3:] + LISTS[:2]


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_padding_fills_and_cuts(ragged: Ragged, width: int) -> None:
    expected = [(items + [9] * width)[:width] for items in LISTS]
    assert ragged.padded(width, 9).tolist() == expected
    assert ragged[1:].padded(width, 9).tolist() == expected[1:]
    assert ragged[:0].padded(width).shape == (0, width)


def test_what_it_is_called(ragged: Ragged) -> None:
    assert repr(ragged[2:]) == "<groupstream.Ragged: 3 lists of int64, 4 items>"
