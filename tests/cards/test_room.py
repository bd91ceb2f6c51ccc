from __future__ import annotations

import doctest

import pytest
from markupsafe import escape

import cards.room
from cards.room import cut_to_page, fitting, page_bytes
from cards.text import visible


def test_examples_in_docstrings_run():
    assert doctest.testmod(cards.room).failed == 0


@pytest.mark.parametrize("text", ["abc", "<&\"'", "\u202e\x00", "日本", "\U000e0041", ""])
def test_bytes_are_those_of_the_page(text):
    assert page_bytes(text) == len(str(escape(visible(text))).encode())


def test_no_more_items_are_made_than_fit():
    made = []

    def items():
        for i in range(10**9):
            made.append(i)
            yield "x" * 10

    found = fitting(items(), 10**9, lambda item: (item,), 35)
    assert (found.shown, found.rest) == (["x" * 10] * 3, 10**9 - 3)
    assert len(made) == 4
    assert found.more("row") == "and 999,999,997 more rows"


def test_all_that_fits_is_shown():
    assert fitting("abc", 3, lambda item: (item,), 3) == (["a", "b", "c"], 0)


@pytest.mark.parametrize("unit", ["x", "<", "\u202e", "日"])
@pytest.mark.parametrize("max_bytes", [0, 7, 100])
def test_text_is_cut_to_its_bytes_in_the_page(unit, max_bytes):
    kept, _, rest = cut_to_page(unit * 1000, max_bytes).partition(" … ")
    assert set(kept) <= {unit} and page_bytes(kept) <= max_bytes
    assert rest == f"{1000 - len(kept):,} more characters"
    assert len(kept) >= max_bytes // page_bytes(unit) * 0.8, "not much less than fits"
    assert cut_to_page(unit, 99) == unit
