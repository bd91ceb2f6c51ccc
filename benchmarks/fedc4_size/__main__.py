"""A version as large as FedC4, without its examples: `python -m benchmarks.fedc4_size FOLDER [--groups N]`.

15.6 million groups, of made-up sizes that are as skewed; ids like domains. The group table is written by the code of a
build, and looked up in and streamed by the reader, up to where examples would be read. Beside it a manifest of 10,000
shards, a registry of 100,000 versions and as many runs in SQLite, and one dataset of 10,000 versions. All at a
sixteenth, at a quarter and whole, so that it shows how time and memory grow; what grows faster than what there is of
it is found. The exponent is that of the processor's time, which a busy machine changes least.

Each case in a process of its own. Its memory is the largest resident set of the process, imports and mapped files
included; "own memory" is without mapped files, which the system drops when it needs the room. What one more takes is
the difference between the two larger sizes. Files were read before, so that they come from memory. Takes 8 GB of disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.arguments import parser_of, results_folder
from benchmarks.fedc4_size.cases import CASES
from benchmarks.fedc4_size.names import NUM_GROUPS
from benchmarks.fedc4_size.report import cases_of, ratios_of, tables
from benchmarks.fedc4_size.runs import measure
from benchmarks.results import keep, result_of

RESULTS = Path(__file__).parent / "results"
_LIBRARIES = ("numpy", "pyarrow", "sqlalchemy", "pydantic", "great-expectations", "matplotlib")


def main(arguments: Sequence[str] | None = None) -> None:
    """Makes what is missing, measures, prints the tables, and keeps them unless a part was asked for."""
    parser = parser_of(__doc__)
    parser.add_argument("--groups", type=int, default=NUM_GROUPS, help="so many at most, and as few of all else")
    parser.add_argument("--turns", type=int, default=3, help="of each case; what takes a minute is run once")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), metavar="CASE", help="only these")
    given = parser.parse_args(arguments)
    measured = measure(given.folder, given.groups / NUM_GROUPS, given.turns, given.cases)
    result = result_of("fedc4_size", __doc__, _LIBRARIES, cases_of(measured), ratios_of(measured))
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    head = [f"# fedc4_size\n\n{result.about}\n", f"`{result.command}`: {result.machine}. {versions}."]
    is_whole = given.groups == NUM_GROUPS and len(given.cases) == len(CASES)
    keep(result, [*head, *tables(measured)], results_folder(given, RESULTS, is_whole))


if __name__ == "__main__":
    main()
