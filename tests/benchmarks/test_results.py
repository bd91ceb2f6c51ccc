"""The result of a benchmark: what it says of its limits, and that what is kept is read back as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import suite
from benchmarks.arguments import parser_of, results_folder
from benchmarks.machine import command_line, versions_of
from benchmarks.reader.report import Limit, report
from benchmarks.results import Case, NotMeasured, Ratio, keep, load, ratio_of, result_of


def test_a_ratio_is_that_of_the_same_turn() -> None:
    ratio = ratio_of("ours", "theirs", [1.0, 10.0, 3.0], [2.0, 20.0, 1.0], limit=1)
    assert (ratio.values, ratio.median, ratio.is_kept) == ((0.5, 0.5, 3.0), 0.5, True)
    assert ratio_of("ours", "theirs", [1.0, 2.0], [4.0]).values == (0.25, 0.5), "a peer that ran once is in every turn"
    with pytest.raises(ValueError):
        ratio_of("ours", "theirs", [1.0, 2.0], [1.0, 2.0, 3.0])


@pytest.mark.parametrize(("better", "limit", "is_kept"), [("lower", 2, True), ("lower", 1, False)])
def test_a_limit_is_kept_by_the_median(better, limit, is_kept) -> None:
    assert Case(case="a", values=(1, 2, 9), limit=limit, better=better).is_kept is is_kept
    higher = Ratio(case="a", peer="b", values=(1, 2, 9), limit=limit + 1, better="higher")
    assert higher.is_kept is not is_kept
    assert Case(case="a", values=(1,)).is_kept is None


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    cases = [Case(case="ours", values=(1.0, 2.0), at=1000)]
    without = [NotMeasured(what="theirs", why="not installed")]
    result = result_of("reader.x", " About. ", ("numpy", "no-such"), cases, [], without, details={"runs": [1]})
    keep(result, ["# x"], tmp_path / "new")
    assert load(tmp_path / "new" / "x.json") == result
    assert (tmp_path / "new" / "x.md").read_text() == "# x\n"
    assert set(result.versions) == {"Python", "numpy"}
    assert result.machine.cores > 0 and result.machine.memory_bytes > 0 and result.machine.processor
    written = json.loads((tmp_path / "new" / "x.json").read_text())
    assert written["cases"][0]["median"] == 1.5, "who reads the JSON need not compute it"


def test_a_part_keeps_nothing_unless_a_folder_is_named(tmp_path: Path) -> None:
    beside = tmp_path / "results"
    parser = parser_of("About.", has_part=True)
    assert results_folder(parser.parse_args([]), beside) == beside
    assert results_folder(parser.parse_args(["--part", "0.1"]), beside, is_whole=False) is None
    assert results_folder(parser.parse_args(["--results", "there"]), beside, is_whole=False) == Path("there")


def test_a_command_has_no_path_of_this_machine() -> None:
    assert command_line(["/data/here", "--part", "0.1", "--python=/usr/bin/x"]).endswith(" FOLDER --part 0.1 FOLDER")
    assert versions_of({"fedjax": "0.0.17"})["fedjax"] == "0.0.17"


def test_the_reader_reports_what_was_measured(tmp_path: Path) -> None:
    seconds = {"ours": [0.5, 0.6], "raw": [1.0, 1.0], "slow": [100.0]}
    limits = [Limit("ours", "raw", 0.5), Limit("ours", "slow", 1 / 100), Limit("ours", "gone", 1.0)]
    report("reader.some", "About.", seconds, limits, tmp_path)
    lines = (tmp_path / "some.md").read_text().splitlines()
    assert "| slow | 100.000 | 100.000 | 100.000 |" in lines
    assert lines[-2:] == ["| ours / raw | 0.55 | 0.5 | MISSED |", "| ours / slow | 1/182 | 1/100 | kept |"]
    assert [ratio.is_kept for ratio in load(tmp_path / "some.json").ratios] == [False, True]


@pytest.mark.parametrize("benchmark", suite.SUITE, ids=lambda each: each.name)
def test_kept_results_are_of_their_benchmark(benchmark: suite.Benchmark) -> None:
    if benchmark.kept_file.exists():
        result = load(benchmark.kept_file)
        assert result.name == benchmark.name
        assert "/" not in result.command, "no path of the machine"
        assert benchmark.kept_file.with_suffix(".md").exists()
