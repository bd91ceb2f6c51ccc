from __future__ import annotations

import doctest
import subprocess
import sys

import pytest
from markupsafe import Markup

import cards.text
from cards.text import finalize, format_bytes, format_short_count, visible, visible_line


def test_examples_in_docstrings_run():
    assert doctest.testmod(cards.text).failed == 0


@pytest.mark.parametrize(
    ("num_bytes", "text"),
    [(0, "0 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_950, "1.0 MB"), (5e9, "5.0 GB"), (2e18, "2,000.0 PB")],
)
def test_bytes_have_decimal_units(num_bytes, text):
    assert format_bytes(num_bytes) == text


@pytest.mark.parametrize(("count", "text"), [(10**7, "10.0 million"), (999_950_000, "1.0 billion"), (0, "0")])
def test_large_counts_are_rounded(count, text):
    assert format_short_count(count) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\nc\r\nd\re", "a\tb\nc\nd\\re"), ("\u202eab\u2066", "\\u202eab\\u2066"), ("\x85\xa0", "\\x85\xa0"),
        ("\ud800", "\\ud800"), ("\U000e0041", "\\U000e0041"), ("\ufeff", "\\ufeff"), ("日本 ❤️ نص", "日本 ❤️ نص"),
    ],
)  # fmt: skip
def test_hidden_characters_are_escaped_and_others_kept(text, shown):
    assert visible(text) == shown


def test_long_line_is_cut_after_whole_characters():
    assert visible_line("日".encode() * 100, 80) == "日" * 80 + "…"


def test_finalize_leaves_markup_and_numbers():
    assert finalize(Markup("<b>")) == Markup("<b>")
    assert finalize(3) == 3
    assert finalize(b"\x00") == "\\x00"


def test_importing_cards_loads_no_matplotlib():
    code = "import cards, sys; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
