"""All groups, each example once, in each format: `python -m benchmarks.formats FOLDER [--max-examples N]`.

The same texts of about 100 bytes in Zipf-sized groups, ten examples to a group on average, at sizes from a thousand
examples to ten million. Every format hands each text to the same loop in Python, which counts examples and adds up
their bytes; it stops where two formats differ. In memory: a dictionary of lists, as LEAF and FedNLP have it.
Hierarchical: each group by its id, in a random order, as arbitrary access asks for it. Streaming: all groups one after
the other.

Each time in a process of its own, whose files were read before, so that they come from memory. Imports are not timed,
and opening is timed apart: for the dictionary it is reading all there is. What takes less than a second is read twice
in its process, and the second time counts. Memory is the largest resident set of the process, which counts what it maps
of its files; what it has before opening are its imports. Formats run in turns, each turn in an order of its own; what
takes 60 s or more is run once. A ratio is the median of the ratios of the same turn. A process is stopped when it takes
too long, writing ends after half an hour, and larger sizes of its format are not tried.

Peers run in environments of their own, which DATASET_GROUPER_PYTHON and FORMATS_PYTHON name (see benchmarks/peers).
Takes up to 15 GB of disk, and keeps what it made for the next run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.formats.examples import SIZES, make_examples
from benchmarks.formats.formats import FORMATS
from benchmarks.formats.report import RESULTS, keep
from benchmarks.formats.runs import Case, Limits, run_size


def main(arguments: Sequence[str] | None = None) -> None:
    """Makes what is missing, size by size, and keeps the tables after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where examples and formats are kept")
    parser.add_argument("--min-examples", type=int, default=SIZES[0].num_examples, help="no smaller size is tried")
    parser.add_argument("--max-examples", type=int, default=SIZES[-1].num_examples, help="no larger size is tried")
    parser.add_argument("--limit", type=float, default=Limits.process_seconds, help="seconds of a process")
    parser.add_argument("--turns", type=int, default=Limits.turns)
    parser.add_argument("--results", type=Path, default=RESULTS, help="a folder for the tables")
    given = parser.parse_args(arguments)
    limits = Limits(given.turns, given.limit)
    cases: list[Case] = []
    for size in SIZES:
        if given.min_examples <= size.num_examples <= given.max_examples:
            print(f"making {size}", file=sys.stderr)
            make_examples(given.folder, size)
            cases += run_size(given.folder, size, FORMATS, limits, cases)
            keep(cases, __doc__, limits, given.results)


if __name__ == "__main__":
    main()
