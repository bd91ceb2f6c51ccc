"""The page of the peers has no number but those of the JSON files, and says where there is none."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.comparison import FEATURES, PEERS, ROWS, Row, comparison, pair_of, times_as_good
from benchmarks.formats.formats import FORMATS
from benchmarks.reader.imports import CASES
from benchmarks.reader.iterate import ALL
from benchmarks.results import Case, Result, result_of
from benchmarks.suite import SUITE

ROOT = Path(__file__).parents[2]
LISTED = [row for rows in ROWS.values() for row in rows]
KNOWN = {"reader.iterate": set(ALL), "reader.imports": set(CASES), "formats": {each.name for each in FORMATS}}


def found(name: str, *cases: Case) -> Result:
    return result_of(name, "", (), cases)


def test_the_page_is_what_the_json_files_say() -> None:
    subprocess.run([sys.executable, str(ROOT / "scripts" / "render_benchmarks.py"), "--check"], check=True)


def test_no_number_is_typed() -> None:
    text = re.sub(r"<!--.*?-->", "", comparison({}))
    names = {word for row in LISTED for word in (row.doing, row.figure)}  # such as zipf-5gb, p50
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, "")
    assert re.findall(r"\d+", text) == []


def test_what_has_no_json_was_not_measured() -> None:
    lines = [line for line in comparison({}).splitlines() if "](benchmarks.md#" in line]
    assert len(lines) == len(LISTED)
    assert all("| not measured | not measured |  |  |" in line for line in lines)


def test_a_row_has_what_the_json_says() -> None:
    ours = Case(case="stored", values=(1.0, 2.0, 4.0))
    theirs = Case(case="sqlite", values=(3.0, 4.0, 16.0))
    page = comparison({"reader.iterate": found("reader.iterate", ours, theirs)})
    link = "[reader.iterate](benchmarks.md#readeriterate)"
    assert f"| SQLite | group by group | time | 2.00 s | 4.00 s | 3.00 |  | {link} |" in page.splitlines()
    assert f"| Dataset Grouper | flat | time | not measured | not measured |  |  | {link} |" in page.splitlines()


def test_formats_are_compared_at_the_largest_size_that_both_have() -> None:
    cases = [Case(case=name, values=(at / 1000,), at=at) for name in ("groupstream", "TFF") for at in (10, 100)]
    row = Row("TFF", "", "formats", "groupstream", "TFF")
    pair = pair_of(row, found("formats", *cases, Case(case="groupstream", values=(1.0,), at=1000)))
    assert pair is not None and [case.at for case in pair] == [100, 100]
    assert pair_of(row, found("formats", cases[0])) is None


@pytest.mark.parametrize(("better", "expected"), [("lower", 4.0), ("higher", 0.25)])
def test_above_one_is_better_for_us(better, expected) -> None:
    ours, theirs = (Case(case="x", values=values, better=better) for values in ((2.0, 3.0), (8.0,)))
    assert times_as_good(ours.model_copy(update={"values": (2.0,)}), theirs) == expected
    assert times_as_good(ours, theirs) == pytest.approx(8 / 2.5 if better == "lower" else 2.5 / 8)


def test_rows_name_what_benchmarks_keep() -> None:
    assert {row.benchmark for row in LISTED} <= {each.name for each in SUITE}
    for row in LISTED:
        assert {row.ours, row.theirs} <= KNOWN.get(row.benchmark, {row.ours, row.theirs}), row


def test_features_are_of_peers() -> None:
    assert {peer for who in FEATURES.values() for peer in who} <= set(PEERS)
