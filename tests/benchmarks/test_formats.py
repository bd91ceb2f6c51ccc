"""The comparison of formats: all see the same examples, what takes too long is stopped, and the tables say what was."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest

from benchmarks.formats import files
from benchmarks.formats.__main__ import main
from benchmarks.formats.examples import SIZES, Size
from benchmarks.formats.formats import (
    DATASET_GROUPER_PYTHON,
    FORMATS,
    FORMATS_PYTHON,
    HIERARCHICAL,
    IN_MEMORY,
    OURS,
    STREAMING,
    Format,
)
from benchmarks.formats.growth import growth_of
from benchmarks.formats.report import keep, ratio_to_ours
from benchmarks.formats.runs import Case, Limits, Run, check_same, run_size
from benchmarks.results import load

SMALL, LARGE = Size(1_000, 100), Size(10_000, 1_000)


def format_that(name: str, code: str = "") -> Format:
    """One that runs some Python instead of reading."""
    return Format(name, STREAMING, lambda folder, version: folder, lambda folder, version: ["-c", code])


def run(turn: int, seconds: float, size: Size = SMALL, num_bytes: int = 5) -> Run:
    return Run(turn, size.num_groups, size.num_examples, num_bytes, seconds, 0.5, 2_000_000, 1_000_000, "library 1.0")


@pytest.mark.integration
def test_all_formats_see_the_same_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATASET_GROUPER_PYTHON, raising=False)
    monkeypatch.delenv(FORMATS_PYTHON, raising=False)
    main([str(tmp_path / "data"), "--max-examples", "1000", "--turns", "1", "--results", str(tmp_path / "results")])
    found = json.loads((tmp_path / "results" / "formats.json").read_text())
    kept = found["details"]["cases"]
    measured = [case for case in kept if case["runs"]]
    seen = {(r["num_groups"], r["num_examples"], r["num_bytes"]) for case in measured for r in case["runs"]}
    [(num_groups, num_examples, num_bytes)] = seen
    assert (num_groups, num_examples) == (SIZES[0].num_groups, SIZES[0].num_examples)
    assert 90_000 < num_bytes < 110_000
    assert {case["kind"] for case in measured} == {IN_MEMORY, HIERARCHICAL, STREAMING}
    peers = {format.name for format in FORMATS if format.variable}
    assert {case["format"] for case in kept} - {case["format"] for case in measured} == peers
    assert {each["what"] for each in found["not_measured"]} == peers
    table = (tmp_path / "results" / "formats.md").read_text()
    assert table.count("| not measured: ") == len(peers)
    assert "| groupstream | streaming |" in table


def test_formats_that_differ_are_refused() -> None:
    ours, other = (Case(format_that(name), SMALL, [run(0, 1.0)]) for name in (OURS, "other"))
    check_same([ours, other])
    other.runs.append(run(1, 1.0, num_bytes=6))
    with pytest.raises(RuntimeError, match="other: 100, 1,000, 6"):
        check_same([ours, other])
    with pytest.raises(RuntimeError, match="formats differ"):
        check_same([Case(format_that(OURS), LARGE, [run(0, 1.0)])])


def test_what_takes_too_long_or_fails_is_stopped_and_not_tried_at_a_larger_size(tmp_path: Path) -> None:
    formats = [format_that("slow", "import time; time.sleep(60)"), format_that("broken", "raise ValueError('no file')")]
    small = run_size(tmp_path, SMALL, formats, Limits(turns=2, process_seconds=1))
    assert [case.why_not for case in small] == ["> 1 s", "ended with 1: ValueError: no file"]
    large = run_size(tmp_path, LARGE, formats, Limits(turns=2, process_seconds=1), small)
    assert large[0].why_not == "not tried: > 1 s at 1,000 examples"
    assert not any(case.runs for case in [*small, *large])


def test_a_file_that_takes_too_long_to_write_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "WRITE_SECONDS", 0.0)
    monkeypatch.setattr(files, "sorted_groups", lambda source: iter([(b"a", ["x"])] * 2))
    monkeypatch.setattr(files, "sorted_file", lambda folder, name: folder)
    (tmp_path / "peers" / SMALL.name).mkdir(parents=True)
    hdf5 = Format("HDF5", HIERARCHICAL, files.hdf5_file, lambda folder, version: ["-c", ""])
    (case,) = run_size(tmp_path, SMALL, [hdf5], Limits(turns=2))
    assert case.why_not == "> 1,800 s to write" and not case.runs
    monkeypatch.setattr(files, "PEERS", tmp_path)
    (tmp_path / "write_fedjax.py").write_text("import time; time.sleep(60)")
    with pytest.raises(TimeoutError, match="to write"):
        files.fedjax_file(tmp_path, SMALL.name, sys.executable)


def test_a_format_that_takes_a_minute_is_read_once_and_ours_in_every_turn() -> None:
    quick, slow, ours = (Case(format_that(name), SMALL, [run(0, s)]) for name, s in (("q", 59), ("s", 60), (OURS, 70)))
    assert [case.is_due(1) for case in (quick, slow, ours)] == [True, False, True]


def test_a_ratio_is_that_of_the_same_turn() -> None:
    ours = Case(format_that(OURS), SMALL, [run(0, 1.0), run(1, 10.0), run(2, 1.0)])
    other = Case(format_that("other"), SMALL, [run(0, 2.0), run(1, 20.0), run(2, 9.0)])
    cases = [ours, other, Case(format_that(OURS), LARGE, [run(0, 100.0, LARGE)])]
    assert ratio_to_ours(other, cases) == 2.0
    assert ratio_to_ours(Case(format_that("none"), SMALL), cases) is None


def test_growth_is_the_exponent_of_a_power() -> None:
    sizes = [Size(10**n, 10 ** (n - 1)) for n in (3, 4, 5)]
    cases = [Case(format_that("square"), size, [run(0, size.num_examples**2 / 1e6)]) for size in sizes]
    cases += [Case(format_that("flat, then straight"), s, [run(0, t)]) for s, t in zip(sizes, (1, 1, 10), strict=True)]
    found = growth_of([*cases, Case(format_that("once"), SMALL, [run(0, 1.0)])])
    assert math.isclose(found["square"].exponent, 2) and math.isclose(found["square"].last_exponent, 2)
    assert found["flat, then straight"].exponent < found["flat, then straight"].last_exponent == pytest.approx(1)
    assert set(found) == {"square", "flat, then straight"}


def test_the_tables_have_all_that_was_found(tmp_path: Path) -> None:
    ours = Case(format_that(OURS), SMALL, [run(0, 0.000123), run(1, 0.000125)])
    cases = [
        ours,
        Case(format_that("slow"), SMALL, why_not="> 600 s"),
        Case(format_that(OURS), LARGE, [run(0, 0.00125)]),
    ]
    keep(cases, "About.", Limits(), tmp_path)
    lines = (tmp_path / "formats.md").read_text().splitlines()
    assert "| groupstream | streaming | 0.000124 | 0.000123 | 0.000125 | 0.124 | 1.00 | 0.500 | 2 | 1 |" in lines
    assert "| slow | streaming | > 600 s | | | | | | | |" in lines
    assert "| groupstream | streaming | 1.00 | 1.00 | 10,000 |" in lines
    found = load(tmp_path / "formats.json")
    assert found.versions["library"] == "1.0"
    assert [len(case["runs"]) for case in found.details["cases"]] == [2, 0, 1]
    assert [(case.at, case.values) for case in found.cases if case.figure == "time"] == [
        (1_000, (0.000123, 0.000125)),
        (10_000, (0.00125,)),
    ]
    assert [(each.what, each.why) for each in found.not_measured] == [("slow", f"{SMALL}: > 600 s")]


def test_the_ratio_of_a_format_is_its_time_in_times_of_ours(tmp_path: Path) -> None:
    cases = [
        Case(format_that(OURS), SMALL, [run(0, 1.0), run(1, 2.0)]),
        Case(format_that("other"), SMALL, [run(0, 3.0), run(1, 8.0)]),
        Case(format_that(f"{OURS}, by id"), SMALL, [run(0, 2.0)]),
    ]
    keep(cases, "About.", Limits(), tmp_path)
    ratio, by_id = load(tmp_path / "formats.json").ratios
    assert (ratio.name, ratio.values, ratio.better) == (f"other / {OURS}, time at 1,000", (3.0, 4.0), "higher")
    assert by_id.better == "lower", "another way of ours should not become slower"
