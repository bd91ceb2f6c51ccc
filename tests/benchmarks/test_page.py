"""The page of the documentation is what the JSON files say, and has all that they have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.missed import WHY
from benchmarks.page import page
from benchmarks.pictures import growth_picture
from benchmarks.results import Case, NotMeasured, Result, load, ratio_of, result_of
from benchmarks.suite import SUITE, Benchmark

ROOT = Path(__file__).parents[2]
MEASURED, OTHER = Benchmark("reader.x", "what x is"), Benchmark("reader.y", "what y is")


@pytest.fixture
def result() -> Result:
    cases = [
        Case(case="ours", values=(1.0, 2.0, 4.0)),
        Case(case="ours", figure="memory", unit="MB", values=(700.0,), limit=600),
        Case(case="ours", figure="opening", values=(0.001, 0.003), at=1_000),
        Case(case="ours", figure="opening", values=(0.01,), at=10_000),
        Case(case="theirs", figure="opening", values=(0.5,), at=10_000),
    ]
    ratios = [
        ratio_of("ours", "theirs", [1.0, 2.0], [4.0], limit=0.5),
        ratio_of("ours", "slow", [1.0], [500.0], limit=0.01),
        ratio_of("slow", "ours", [30.0], [1.0], limit=25, better="higher"),
        ratio_of("ours", "other", [1.0], [2.0]),
    ]
    return result_of("reader.x", "What x is.", (), cases, ratios, [NotMeasured(what="peer", why="not installed")])


def test_the_page_is_as_rendered() -> None:
    subprocess.run([sys.executable, str(ROOT / "scripts" / "render_benchmarks.py"), "--check"], check=True)


def test_the_page_has_every_benchmark() -> None:
    text = (ROOT / "docs" / "benchmarks.md").read_text()
    for benchmark in SUITE:
        assert f"\n## {benchmark.name}\n" in text


def test_targets_stand_beside_results(result: Result) -> None:
    lines = page({"reader.x": result}, [MEASURED], {}).splitlines()
    assert "3 of 4 are kept." in lines
    assert "| [reader.x](#readerx) | ours / theirs, time | ≤ 0.5 | 0.375 | kept |" in lines
    assert "| [reader.x](#readerx) | ours / slow, time | ≤ 1/100 | 1/500 | kept |" in lines
    assert "| [reader.x](#readerx) | slow / ours, time | ≥ 25 | 30.0 | kept |" in lines
    assert "| [reader.x](#readerx) | ours, memory | ≤ 600 MB | 700 MB | **missed** |" in lines


def test_each_target_that_is_missed_has_a_reason(result: Result) -> None:
    text = page({"reader.x": result}, [MEASURED], {})
    assert "| [reader.x](#readerx): ours, memory | nobody has looked yet |" in text.splitlines()
    kept = {each.name: load(each.kept_file) for each in SUITE if each.kept_file.exists()}
    assert "nobody has looked yet" not in page(kept, SUITE, {})


def test_what_has_a_reason_is_a_target() -> None:
    kept = [load(each.kept_file) for each in SUITE if each.kept_file.exists()]
    targets = {(result.name, each.name) for result in kept for each in result.ratios if each.limit is not None}
    assert set(WHY) <= targets


def test_a_section_has_all_figures_with_their_spread(result: Result) -> None:
    lines = page({"reader.x": result}, [MEASURED], {}).splitlines()
    assert "| ours | time, s | 2.00 | 1.00 | 4.00 | 3 |" in lines
    assert "| opening, s | 1,000 | 10,000 |" in lines
    assert "| ours | 0.00200 (0.00100 … 0.00300) | 0.0100 |" in lines
    assert "| theirs |  | 0.500 |" in lines
    assert "| ours / other, time | 0.500 | 0.500 | 0.500 | 1 |" in lines
    assert any(result.command in line and str(result.machine) in line and result.date in line for line in lines)


def test_what_was_not_measured_is_said(result: Result) -> None:
    lines = page({"reader.x": result}, [MEASURED, OTHER], {}).splitlines()
    assert "What y is. Not measured in this form yet." in lines
    after = lines[lines.index("## What was not measured") :]
    assert "| [reader.x](#readerx) | peer | not installed |" in after
    assert "| [reader.y](#readery) | all of it | not run in this form yet |" in after
    assert any("cluster" in line for line in after)


def test_a_page_without_results_says_so() -> None:
    assert "No benchmark with a target was measured in this form yet." in page({}, [MEASURED], {})


def test_a_picture_is_the_same_each_time_and_follows_light_and_dark() -> None:
    cases = [Case(case=name, values=(n * f,), at=n) for name, f in (("a", 1), ("b, 2", 2)) for n in (10, 100, 1000)]
    svg = growth_picture("some-time", cases)
    assert svg == growth_picture("some-time", cases)
    assert svg.startswith("<svg") and "b, 2" in svg
    assert svg.count("--series-1:") == 2 and "var(--series-1)" in svg
    assert len(svg) < 60_000
