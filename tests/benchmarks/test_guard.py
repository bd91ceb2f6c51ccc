"""The guard: what it lets through, what it fails for, and what it says then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import guard
from benchmarks.guard import KeptRatio, KeptRatios, accept, compare, table
from benchmarks.machine import this_machine
from benchmarks.results import NotMeasured, Ratio, Result, keep, result_of

FASTER = Ratio(case="stored", peer="raw", values=(1.0, 2.0, 1.1))
USED = Ratio(case="tiny", peer="product", figure="FLOP/s", values=(0.6,), better="higher")


def result(*ratios: Ratio, without: tuple[NotMeasured, ...] = ()) -> Result:
    return result_of("reader.iterate", "", (), [], ratios, without)


def kept(**ratios: KeptRatio) -> KeptRatios:
    named = {name.replace("__", " / ") + ", time": ratio for name, ratio in ratios.items()}
    return KeptRatios(date="2026-01-01", machine=this_machine(), benchmarks={"reader.iterate": named})


@pytest.mark.parametrize(
    ("better", "found", "is_worse"),
    [
        ("lower", 0.1, False), ("lower", 1.5, False), ("lower", 1.51, True),
        ("higher", 9.0, False), ("higher", 0.667, False), ("higher", 0.66, True),
    ],
)  # fmt: skip
def test_a_ratio_may_be_worse_by_its_margin(better, found, is_worse) -> None:
    ratio = Ratio(case="stored", peer="raw", values=(found,), better=better)
    [compared] = compare([result(ratio)], kept(stored__raw=KeptRatio(ratio=1, better=better)))
    assert (compared.is_worse, compared.verdict) == (is_worse, "WORSE" if is_worse else "as before")


def test_a_margin_is_of_one_ratio() -> None:
    wide = kept(stored__raw=KeptRatio(ratio=0.5, better="lower", margin=2.0))
    assert not compare([result(FASTER)], wide)[0].is_worse
    narrow = kept(stored__raw=KeptRatio(ratio=1.0, better="lower", margin=0.05))
    assert compare([result(FASTER)], narrow)[0].is_worse


def test_what_is_gone_fails_unless_there_is_a_reason() -> None:
    before = kept(stored__raw=KeptRatio(ratio=1, better="lower"))
    assert [each.verdict for each in compare([result()], before)] == ["GONE"]
    assert compare([], before)[0].is_worse, "a benchmark that failed left nothing"
    for what in ("raw", "stored"):
        [compared] = compare([result(without=(NotMeasured(what=what, why="not installed"),))], before)
        assert (compared.is_worse, compared.verdict) == (False, "not measured: not installed")
    other = result(without=(NotMeasured(what="ra", why="not installed"),))
    assert compare([other], before)[0].is_worse, "that is another peer"


def test_what_is_accepted_keeps_its_margin_and_what_did_not_run() -> None:
    before = KeptRatios(
        date="2026-01-01",
        machine=this_machine(),
        benchmarks={
            "reader.iterate": {FASTER.name: KeptRatio(ratio=9, better="lower", margin=1.0)},
            "formats": {"a / b, time": KeptRatio(ratio=1, better="lower")},
        },
    )
    after = accept([result(FASTER, USED)], before)
    assert after.benchmarks["formats"] == before.benchmarks["formats"]
    assert after.benchmarks["reader.iterate"] == {
        "stored / raw, time": KeptRatio(ratio=1.1, better="lower", margin=1.0),
        "tiny / product, FLOP/s": KeptRatio(ratio=0.6, better="higher", margin=guard.MARGIN),
    }
    assert not any(each.is_worse for each in compare([result(FASTER, USED)], accept([result(FASTER, USED)], None)))


def test_the_table_has_what_is_worse_first() -> None:
    before = kept(a__b=KeptRatio(ratio=2, better="lower"), stored__raw=KeptRatio(ratio=0.5, better="lower"))
    found = [result(FASTER, Ratio(case="a", peer="b", values=(2.0,)))]
    assert table(compare(found, before))[2:] == [
        "| reader.iterate | stored / raw, time | 0.5 | 50% | ≤ 0.75 | 1.1 | WORSE |",
        "| reader.iterate | a / b, time | 2 | 50% | ≤ 3 | 2 | as before |",
    ]


def test_the_command_keeps_and_compares(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept_file = tmp_path / "kept.json"
    call = [str(tmp_path), "--kept", str(kept_file)]
    assert guard.main(call) == 2
    assert f"run: python -m benchmarks --short {tmp_path}" in capsys.readouterr().out
    keep(result(FASTER), [], tmp_path / "short" / "reader")
    assert guard.main(call) == 2
    assert f"accept what was found with: python -m benchmarks.guard {tmp_path} --keep" in capsys.readouterr().out
    assert guard.main([*call, "--keep"]) == 0
    assert guard.main(call) == 0
    assert "All 1 ratios are as before." in capsys.readouterr().out
    keep(result(FASTER.model_copy(update={"values": (5.0,)})), [], tmp_path / "short" / "reader")
    assert guard.main(call) == 1
    said = capsys.readouterr().out
    assert "| reader.iterate | stored / raw, time | 1.1 | 50% | ≤ 1.65 | 5 | WORSE |" in said
    assert f"python -m benchmarks --short --only reader.iterate {tmp_path}" in said
    assert f"python -m benchmarks.guard {tmp_path} --keep" in said


def test_what_is_worse_is_run_again_and_fails_if_it_stays_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[list[str]] = []
    later = iter([5.0, 1.2, 5.0, 5.0])

    def run_all(benchmarks: list[Any], folder: Path, *, is_short: bool) -> int:
        called.append([each.name for each in benchmarks])
        keep(result(FASTER.model_copy(update={"values": (next(later),)})), [], folder / "short" / "reader")
        return 0

    monkeypatch.setattr(guard, "run_all", run_all)
    kept_file = tmp_path / "kept.json"
    kept_file.write_text(kept(stored__raw=KeptRatio(ratio=1, better="lower")).model_dump_json())
    call = [str(tmp_path), "--kept", str(kept_file), "--tries", "3"]
    keep(result(FASTER.model_copy(update={"values": (5.0,)})), [], tmp_path / "short" / "reader")
    assert guard.main(call) == 0, "the third time"
    assert called == [["reader.iterate"]] * 2
    assert guard.main(call) == 0, "it is as it was kept, and nothing runs"
    assert len(called) == 2
    keep(result(FASTER.model_copy(update={"values": (5.0,)})), [], tmp_path / "short" / "reader")
    assert guard.main(call) == 1, "each time"
    assert len(called) == 4
