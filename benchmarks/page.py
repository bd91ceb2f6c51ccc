"""The page of the documentation on all benchmarks, made from their JSON alone; see scripts/render_benchmarks.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from benchmarks.missed import WHY
from benchmarks.numbers import three_digits
from benchmarks.results import Case, Ratio, Result
from benchmarks.suite import BENCHMARKS, Benchmark

_HEAD = """\
# Benchmarks

<!-- Written by scripts/render_benchmarks.py from benchmarks/**/results/*.json: change those, or the script. -->

What was promised, what was found, and against what. Every figure on this page comes from the files that the benchmarks
wrote; `make bench-full` runs them all, one after the other, and `make bench-page` writes this page. Peers that cannot
live beside us have environments of their own, which `make bench-peers` makes. All read the same bytes, in turns, and a
ratio is the median of the ratios of the same turn.
"""

_SMALL = 0.095  # a ratio below is shown as one of so many

_NEVER = (
    ("a build on a cluster", "none was at hand; [FedC4](fedc4.md) works it out from what a core does"),
    ("buckets over a network", "servers on the same machine stand for them, some with a delay for each request"),
    ("disks that are cold", "files were read before, so that they come from memory"),
    (
        "other machines than those named below",
        "ratios carry over better than seconds, which is why they are the targets",
    ),
)


def page(results: Mapping[str, Result], benchmarks: Sequence[Benchmark], pictures: Mapping[str, str]) -> str:
    """The page in Markdown.

    Args:
        results: by the name of the benchmark, those that there are.
        pictures: the path of each, from the page, and what it shows.
    """
    ordered = [results[each.name] for each in benchmarks if each.name in results]
    lines = [_HEAD, *_promises(ordered), *_shown(pictures)]
    for benchmark in benchmarks:
        lines += _section(benchmark, results.get(benchmark.name))
    lines += _not_measured(results, benchmarks)
    return "\n".join(lines).rstrip("\n") + "\n"


def _promises(results: Sequence[Result]) -> Iterator[str]:
    """Every limit with what was found."""
    yield "## Targets and results\n"
    found = [(result, each) for result in results for each in (*result.ratios, *result.cases) if each.limit is not None]
    if not found:
        yield "No benchmark with a target was measured in this form yet.\n"
        return
    kept = sum(bool(each.is_kept) for _, each in found)
    yield f"{kept} of {len(found)} are kept.\n"
    yield "| benchmark | what | target | found | |"
    yield "|---|---|---:|---:|---|"
    for result, each in found:
        unit = f" {each.unit}" if isinstance(each, Case) else ""
        sign = "≤" if each.better == "lower" else "≥"
        target, found_words = f"{sign} {_target(each)}{unit}", f"{_shown_ratio(each.median, each)}{unit}"
        verdict = "kept" if each.is_kept else "**missed**"
        yield f"| {_link(result.name)} | {_what(each)} | {target} | {found_words} | {verdict} |"
    yield ""
    yield from _missed([(result.name, _what(each)) for result, each in found if not each.is_kept])


def _missed(targets: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Why, for each."""
    if targets:
        yield "| missed | why |"
        yield "|---|---|"
        for name, what in targets:
            yield f"| {_link(name)}: {what} | {WHY.get((name, what), 'nobody has looked yet')} |"
        yield ""


def _what(each: Case | Ratio) -> str:
    if isinstance(each, Ratio):
        return each.name
    return f"{each.case}, {each.figure}" + ("" if each.at is None else f" at {each.at:,.0f}")


def _target(each: Case | Ratio) -> str:
    """As it was set, without digits that say nothing."""
    limit = each.limit or 0.0
    return f"1/{1 / limit:,.6g}" if isinstance(each, Ratio) and 0 < limit < _SMALL else f"{limit:,.6g}"


def _shown_ratio(number: float, each: Case | Ratio) -> str:
    """A small ratio is one of so many."""
    if isinstance(each, Ratio) and 0 < number < _SMALL:
        return f"1/{three_digits(1 / number)}"
    return three_digits(number)


def _shown(pictures: Mapping[str, str]) -> Iterator[str]:
    for path, about in pictures.items():
        yield f"![{about}]({path})\n"


def _section(benchmark: Benchmark, result: Result | None) -> Iterator[str]:
    yield f"## {benchmark.name}\n"
    if result is None:
        yield f"{benchmark.about[0].upper()}{benchmark.about[1:]}. Not measured in this form yet.\n"
        table = benchmark.kept_file.with_suffix(".md")
        if table.exists():
            where = table.relative_to(BENCHMARKS.parent).as_posix()
            yield f"`{where}` has what was found before.\n"
        return
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    yield f"{result.about}\n"
    where = f"{result.date}, on {result.machine}; load {result.machine.load:g} at the end"
    yield f"`{result.command}`, {where}. {versions}.\n"
    yield from _cases([case for case in result.cases if case.at is None])
    for figure in dict.fromkeys(case.figure for case in result.cases if case.at is not None):
        yield from _by_size(figure, [c for c in result.cases if c.at is not None and c.figure == figure])
    yield from _ratios(result.ratios)


def _cases(cases: Sequence[Case]) -> Iterator[str]:
    if not cases:
        return
    yield "| case | | median | least | most | turns |"
    yield "|---|---|---:|---:|---:|---:|"
    for each in cases:
        yield f"| {each.case} | {each.figure}, {each.unit} | {_spread(each)} |"
    yield ""


def _by_size(figure: str, cases: Sequence[Case]) -> Iterator[str]:
    """A row for each case, a column for each size: the median and its spread."""
    sizes = sorted({case.at for case in cases if case.at is not None})
    yield f"| {figure}, {cases[0].unit} | {' | '.join(f'{size:,.0f}' for size in sizes)} |"
    yield "|---" + "|---:" * len(sizes) + "|"
    for name in dict.fromkeys(case.case for case in cases):
        found = {case.at: case for case in cases if case.case == name}
        yield f"| {name} | {' | '.join(_cell(found.get(size)) for size in sizes)} |"
    yield ""


def _cell(case: Case | None) -> str:
    if case is None:
        return ""
    spread = f" ({three_digits(min(case.values))} … {three_digits(max(case.values))})" if len(case.values) > 1 else ""
    return three_digits(case.median) + spread


def _ratios(ratios: Sequence[Ratio]) -> Iterator[str]:
    if not ratios:
        return
    yield "| ratio | median | least | most | turns |"
    yield "|---|---:|---:|---:|---:|"
    for each in ratios:
        yield f"| {each.name} | {_spread(each)} |"
    yield ""


def _spread(each: Case | Ratio) -> str:
    numbers = (_shown_ratio(number, each) for number in (each.median, min(each.values), max(each.values)))
    return f"{' | '.join(numbers)} | {len(each.values)}"


def _not_measured(results: Mapping[str, Result], benchmarks: Sequence[Benchmark]) -> Iterator[str]:
    yield "## What was not measured\n"
    yield "| benchmark | what | why |"
    yield "|---|---|---|"
    for benchmark in benchmarks:
        if benchmark.name not in results:
            yield f"| {_link(benchmark.name)} | all of it | not run in this form yet |"
            continue
        for each in results[benchmark.name].not_measured:
            yield f"| {_link(benchmark.name)} | {each.what} | {each.why} |"
    for what, why in _NEVER:
        yield f"| any | {what} | {why} |"


def _link(name: str) -> str:
    """To the section; the site drops dots from its anchors."""
    return f"[{name}](#{name.replace('.', '')})"
