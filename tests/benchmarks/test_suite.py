"""All benchmarks with one command: which run, what is skipped, and what happens after a failure."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from benchmarks.__main__ import main, run_all
from benchmarks.suite import BENCHMARKS, SUITE, Benchmark


def test_every_benchmark_is_in_the_list() -> None:
    """A module that keeps results, and is run by itself, is called by one of the list."""
    programs = {
        ".".join(path.relative_to(BENCHMARKS).with_suffix("").parts).removesuffix(".__main__")
        for path in BENCHMARKS.rglob("*.py")
        if 'if __name__ == "__main__"' in path.read_text() and "results_folder(given" in path.read_text()
    }
    listed = {each.name for each in SUITE} | {each.runs for each in SUITE if each.runs}
    assert programs - {"arguments"} <= listed
    assert len({each.name for each in SUITE}) == len(SUITE)
    assert len({each.kept_file for each in SUITE}) == len(SUITE)


@pytest.mark.parametrize("benchmark", SUITE, ids=lambda each: each.name)
def test_a_benchmark_has_a_module_and_arguments(benchmark: Benchmark, tmp_path: Path) -> None:
    assert importlib.util.find_spec(benchmark.module) is not None
    environment = dict.fromkeys(benchmark.variables, "there")
    full = benchmark.arguments(tmp_path, is_short=False, environment=environment)
    assert not any("$" in word for word in full)
    short = benchmark.arguments(tmp_path, is_short=True, environment=environment)
    assert short[-2:] == ["--results", str(benchmark.short_file(tmp_path).parent)]
    assert benchmark.kept_file.parent.name == "results"


def test_the_results_of_a_short_run_are_apart(tmp_path: Path) -> None:
    files = {each.short_file(tmp_path) for each in SUITE if each.short is not None}
    assert {file.relative_to(tmp_path).as_posix() for file in files} >= {
        "short/reader/iterate.json",
        "short/formats.json",
        "short/partitioners.json",
    }


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    needs = Benchmark("partitioners", "x", variables=("PEER",), libraries=("no_such_library",), disk_gb=1e9)
    assert needs.why_not(tmp_path, environment={}) == "PEER is not set; see benchmarks/README.md"
    assert needs.why_not(tmp_path, environment={"PEER": "x"}) == "no_such_library is not installed"
    large = Benchmark("partitioners", "x", disk_gb=1e9)
    assert str(large.why_not(tmp_path, environment={})).startswith("it takes 1e+09 GB, and ")
    assert large.why_not(tmp_path, is_short=True, environment={}) is None


def test_one_that_fails_does_not_stop_the_others(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    broken = Benchmark("machine", "no such argument", full=("--x",), runs="partitioners")
    skipped = Benchmark("skipped", "x", variables=("NO_SUCH_VARIABLE",))
    last = Benchmark("last", "does nothing", full=(), runs="machine")
    assert run_all([broken, skipped, last], tmp_path, is_short=False) == 1
    said = capfd.readouterr().err
    assert "machine: FAILED after" in said and "with status 2" in said
    assert "  skipped: skipped: NO_SUCH_VARIABLE is not set" in said
    assert "  last: done in " in said
    assert run_all([skipped, last], tmp_path, is_short=False) == 0


def test_an_old_short_result_does_not_stay(tmp_path: Path) -> None:
    skipped = Benchmark("skipped", "x", short=(), variables=("NO_SUCH_VARIABLE",))
    skipped.short_file(tmp_path).parent.mkdir()
    skipped.short_file(tmp_path).write_text("{}")
    assert run_all([skipped], tmp_path, is_short=True) == 0
    assert not skipped.short_file(tmp_path).exists()


def test_the_command_wants_to_know_which(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([str(tmp_path)])
    assert "--short --full" in capsys.readouterr().err
