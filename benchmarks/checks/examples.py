"""What checks of examples cost a build: `python -m benchmarks.checks.examples [FOLDER] [--part 0.1]`.

600,000 examples of 0.5 KB in Parquet files, of which one in 10,000 breaks a check: a text of words, one in four of them
with characters beyond ASCII and in several lines, an address, a language, a year. They are built without checks, with
checks of lengths, ranges, a pattern and allowed values, and with text rules as well; in turns, in one process, which
works alone. Parquet is read fastest of all sources, so the checks weigh most. What is timed is what a build does before
it publishes, with its quarantine. Takes 1.5 GB of disk.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.arguments import parser_of, results_folder
from benchmarks.machine import versions_line
from benchmarks.pipeline.build import build, import_all, spec_of
from benchmarks.pipeline.words import texts
from benchmarks.results import Case, Ratio, keep, ratio_of, result_of

NUM_EXAMPLES = 600_000
TEXT_BYTES = 440
GROUPS = 20_000
ROW_GROUP_ROWS = 50_000
TURNS = 7
MOST = 1.30  # of the seconds of a build without checks
RESULTS = Path(__file__).parent / "results"
_LIBRARIES = ("pandera", "pandas", "apache-beam", "numpy", "pyarrow")

SCHEMA_CHECKS: dict[str, Any] = {
    "text": {"min_length": 1, "max_length": 10_000},
    "url": {"pattern": "^https?://", "max_length": 2_000},
    "lang": {"allowed": ["en", "de", "fr", "ja"]},
    "year": {"nullable": True, "min_value": 1990, "max_value": 2030},
}
TEXT_RULES = {
    "min_words": 5,
    "max_word_length": 100,
    "min_share_of_letters": 0.5,
    "max_share_of_repeated_lines": 0.5,
}
WITHOUT = "no checks"
CASES: dict[str, dict[str, Any]] = {
    WITHOUT: {},
    "schema checks": SCHEMA_CHECKS,
    "schema checks and text rules": {**SCHEMA_CHECKS, "text": {**SCHEMA_CHECKS["text"], "text": TEXT_RULES}},
}


def main() -> None:
    """Makes the source, builds in turns, prints the table, and keeps it unless a part was asked for."""
    given = parser_of(__doc__, has_part=True).parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=given.folder) as place:
        source = make_source(Path(place) / "source", int(NUM_EXAMPLES * given.part))
        seconds = measure(source, Path(place))
    cases = [Case(case=case, values=tuple(found)) for case, found in seconds.items()]
    result = result_of("checks.examples", __doc__, _LIBRARIES, cases, ratios_of(seconds).values())
    keep(result, table(seconds), results_folder(given, RESULTS, is_whole=given.part == 1))


def make_source(folder: Path, num_examples: int) -> dict[str, Any]:
    """Writes the Parquet files; the source as a spec names it."""
    folder.mkdir()
    for number, start in enumerate(range(0, num_examples, 4 * ROW_GROUP_ROWS)):
        count = min(4 * ROW_GROUP_ROWS, num_examples - start)
        pq.write_table(_rows(count, number), folder / f"part-{number:04d}.parquet", row_group_size=ROW_GROUP_ROWS)
    return {"kind": "parquet", "paths": [f"{folder}/*.parquet"]}


def _rows(count: int, number: int) -> pa.Table:
    draw = np.random.default_rng([1, number])
    words = texts(draw, count, TEXT_BYTES).cast(pa.string())
    rich = pc.replace_substring_regex(words, "e([a-z]+) ", "é\\1.\n", max_replacements=4)
    text = pc.if_else(pa.array(np.arange(count) % 4 == 0), rich, words)
    text = pc.if_else(pa.array(np.arange(count) % 10_000 == 5_000), "", text)
    group = draw.integers(0, GROUPS, count)
    return pa.table(
        {
            "key": pa.array([f"site{n:05d}.example.org" for n in group.tolist()]),
            "text": text,
            "url": pa.array([f"https://site{n:05d}.example.org/page" for n in group.tolist()]),
            "lang": pa.array(["en", "de", "fr", "ja"]).take(pa.array(draw.integers(0, 4, count))),
            "year": pa.array(draw.integers(1995, 2025, count)),
        }
    )


def measure(source: dict[str, Any], folder: Path, turns: int = TURNS) -> dict[str, list[float]]:
    """The seconds of each case in each turn, after one turn that does not count."""
    seconds: dict[str, list[float]] = defaultdict(list)
    specs = {
        case: spec_of(source, "key", checks={"examples": c, "max_rejected_share": 0.01}) for case, c in CASES.items()
    }
    import_all(next(iter(specs.values())))
    for turn in range(turns + 1):
        for case, spec in list(specs.items())[:: 1 if turn % 2 else -1]:
            print(f"turn {turn}: {case}", file=sys.stderr)
            found = build(folder / "root", spec)
            if turn:
                seconds[case].append(found["seconds"] - found["plan_seconds"])
    return {case: seconds[case] for case in CASES}


def ratios_of(seconds: Mapping[str, Sequence[float]]) -> dict[str, Ratio]:
    """Of each case with checks to the one without."""
    base = seconds[WITHOUT]
    return {case: ratio_of(case, WITHOUT, s, base, limit=MOST) for case, s in seconds.items() if case != WITHOUT}


def table(seconds: Mapping[str, Sequence[float]]) -> list[str]:
    """What was measured, and whether the promise is kept."""
    ratios = ratios_of(seconds)
    lines = [f"# examples\n\n{(__doc__ or '').strip()}\n\n{versions_line(_LIBRARIES)}\n"]
    lines += ["| case | seconds, median | least | most | of a build without checks | limit | |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for case, found in seconds.items():
        ratio = ratios.get(case)
        limit = (
            f"{ratio.median:.2f} | {MOST:.2f} | {'kept' if ratio.is_kept else 'MISSED'} |" if ratio else "1.00 | | |"
        )
        lines.append(f"| {case} | {median(found):.2f} | {min(found):.2f} | {max(found):.2f} | {limit}")
    return lines


if __name__ == "__main__":
    main()
