"""Are the ratios of a short run what they were? `python -m benchmarks.guard FOLDER [--keep] [--tries N]`.

Ratios, not seconds: a slower machine is no regression. Compares those of FOLDER/short, where `python -m benchmarks
--short FOLDER` left them, with `kept_ratios.json`, and fails where one is worse by more than its margin, or is gone
without a reason. A margin of 0.5 is 50 %: where lower is better, 1.5 times the kept ratio is still let through; where
higher is better, the kept ratio divided by 1.5.

A machine that did something else for a while makes a ratio worse once, and a regression makes it worse each time: with
`--tries 3`, benchmarks of which a ratio is worse are run again, up to twice, and it fails for what was worse each time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from benchmarks.__main__ import run_all
from benchmarks.machine import Machine, this_machine, today
from benchmarks.results import Better, Ratio, Result, load
from benchmarks.suite import BENCHMARKS, SUITE

KEPT_FILE = BENCHMARKS / "kept_ratios.json"
MARGIN = 0.5


class KeptRatio(BaseModel):
    """A ratio that was accepted, and how much worse one may be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ratio: float
    better: Better
    margin: float = MARGIN

    @property
    def bound(self) -> float:
        """The worst that is let through."""
        return self.ratio * (1 + self.margin) if self.better == "lower" else self.ratio / (1 + self.margin)

    def lets_through(self, found: float) -> bool:
        """Whether it is not worse than that."""
        return found <= self.bound if self.better == "lower" else found >= self.bound


class KeptRatios(BaseModel):
    """All of them: by benchmark, then by the name of the ratio."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    date: str
    machine: Machine
    benchmarks: dict[str, dict[str, KeptRatio]]


@dataclass(frozen=True)
class Comparison:
    """A kept ratio beside the one that was found.

    Attributes:
        found: None where there is none.
        why_not: the reason that the benchmark gave for that, such as a peer that is not installed.
    """

    benchmark: str
    name: str
    kept: KeptRatio
    found: float | None
    why_not: str | None = None

    @property
    def is_worse(self) -> bool:
        """Whether the guard fails for it: worse than its margin, or gone without a reason."""
        return self.why_not is None if self.found is None else not self.kept.lets_through(self.found)

    @property
    def verdict(self) -> str:
        """In a word or two."""
        if self.found is None:
            return f"not measured: {self.why_not}" if self.why_not else "GONE"
        return "WORSE" if self.is_worse else "as before"


def compare(results: Sequence[Result], kept: KeptRatios) -> list[Comparison]:
    """Every kept ratio with what was found. What was not kept before is not compared."""
    by_name = {result.name: result for result in results}
    return [
        _compared(benchmark, name, ratio, by_name.get(benchmark))
        for benchmark, ratios in kept.benchmarks.items()
        for name, ratio in ratios.items()
    ]


def _compared(benchmark: str, name: str, kept: KeptRatio, result: Result | None) -> Comparison:
    if result is None:
        return Comparison(benchmark, name, kept, None)
    found = {ratio.name: ratio.median for ratio in result.ratios}.get(name)
    return Comparison(benchmark, name, kept, found, _why_not(name, result) if found is None else None)


def _why_not(name: str, result: Result) -> str | None:
    """The reason that a case or a peer of the ratio was not measured."""
    return next(
        (e.why for e in result.not_measured if name.startswith(f"{e.what} / ") or f" / {e.what}, " in name), None
    )


def compare_again(comparisons: Sequence[Comparison], folder: Path, kept: KeptRatios, tries: int) -> list[Comparison]:
    """Runs what is worse again, at most so many times in all; each ratio as it was when it was not worse."""
    for _ in range(tries - 1):
        names = {each.benchmark for each in comparisons if each.is_worse}
        if not names:
            break
        run_all([each for each in SUITE if each.name in names], folder.resolve(), is_short=True)
        again = {(each.benchmark, each.name): each for each in compare(results_in(folder), kept)}
        comparisons = [again[each.benchmark, each.name] if each.is_worse else each for each in comparisons]
    return list(comparisons)


def results_in(folder: Path) -> list[Result]:
    """What the last short run left there."""
    files = [each.short_file(folder) for each in SUITE]
    return [load(file) for file in files if file.exists()]


def accept(results: Sequence[Result], kept: KeptRatios | None) -> KeptRatios:
    """What was found, to be kept, with the margins as they were. Benchmarks that did not run stay as they were."""
    before = kept.benchmarks if kept else {}
    found = {result.name: _accepted(result.ratios, before.get(result.name, {})) for result in results if result.ratios}
    return KeptRatios(date=today(), machine=this_machine(), benchmarks={**before, **found})


def _accepted(ratios: Sequence[Ratio], before: Mapping[str, KeptRatio]) -> dict[str, KeptRatio]:
    margins = {name: ratio.margin for name, ratio in before.items()}
    return {
        ratio.name: KeptRatio(
            ratio=float(f"{ratio.median:.4g}"), better=ratio.better, margin=margins.get(ratio.name, MARGIN)
        )
        for ratio in ratios
    }


def table(comparisons: Sequence[Comparison]) -> list[str]:
    """In Markdown, the worst first."""
    lines = ["| benchmark | ratio | kept | margin | let through | found | |", "|---|---|---:|---:|---:|---:|---|"]
    for each in sorted(comparisons, key=lambda each: not each.is_worse):
        sign = "≤" if each.kept.better == "lower" else "≥"
        found = "" if each.found is None else f"{each.found:.3g}"
        lines.append(
            f"| {each.benchmark} | {each.name} | {each.kept.ratio:.3g} | {each.kept.margin:.0%} "
            f"| {sign} {each.kept.bound:.3g} | {found} | {each.verdict} |"
        )
    return lines


def what_to_do(worse: Sequence[Comparison], folder: Path) -> str:
    """The way out."""
    names = " ".join(dict.fromkeys(f"--only {each.benchmark}" for each in worse))
    return (
        f"{len(worse)} of the ratios are worse than their margins, or gone. Run those benchmarks again, on a machine "
        f"that does nothing else: python -m benchmarks --short {names} {folder}\n"
        f"If it stays and is meant to be so, accept it: python -m benchmarks.guard {folder} --keep, and commit "
        f"{KEPT_FILE.name} with the reason. A ratio that is noisy has its own margin in that file."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Compares, or keeps; 1 where a ratio is worse, 2 where there is nothing to compare."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.guard", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="of the short run")
    parser.add_argument("--keep", action="store_true", help="accept what was found")
    parser.add_argument("--tries", type=int, default=1, metavar="N", help="run what is worse again, N times in all")
    parser.add_argument("--kept", type=Path, default=KEPT_FILE, help="the file of kept ratios")
    given = parser.parse_args(arguments)
    results = results_in(given.folder)
    kept = KeptRatios.model_validate_json(given.kept.read_bytes()) if given.kept.exists() else None
    if not results:
        print(f"no results in {given.folder / 'short'}; run: python -m benchmarks --short {given.folder}")
        return 2
    if given.keep:
        accepted = accept(results, kept)
        given.kept.write_text(accepted.model_dump_json(indent=1) + "\n", encoding="utf-8")
        print(f"kept {sum(map(len, accepted.benchmarks.values()))} ratios in {given.kept.name}")
        return 0
    if kept is None:
        print(
            f"{given.kept} is not there; accept what was found with: python -m benchmarks.guard {given.folder} --keep"
        )
        return 2
    comparisons = compare_again(compare(results, kept), given.folder, kept, given.tries)
    worse = [each for each in comparisons if each.is_worse]
    print("\n".join(table(comparisons)))
    print(f"\n{what_to_do(worse, given.folder)}" if worse else f"\nAll {len(comparisons)} ratios are as before.")
    return int(bool(worse))


if __name__ == "__main__":
    sys.exit(main())
