"""The arguments that benchmarks have in common."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

FOLDER = Path(tempfile.gettempdir()) / "groupstream-bench"


def parser_of(about: str | None, *, has_part: bool = False, folder: Path = FOLDER) -> argparse.ArgumentParser:
    """A parser with a folder for what is made, one for results and, where asked for, a part of the whole."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=folder, help="where what is made lies")
    add_results(parser)
    if has_part:
        parser.add_argument("--part", type=float, default=1.0, help="so much of it, to try it out")
    return parser


def add_results(parser: argparse.ArgumentParser) -> None:
    """The folder for tables and JSON."""
    parser.add_argument(
        "--results", type=Path, help="a folder for table and JSON; else a whole run keeps them beside the benchmark"
    )


def results_folder(given: argparse.Namespace, beside: Path, is_whole: bool = True) -> Path | None:
    """Where results are kept: where that was asked for, or beside the benchmark after a whole run, or nowhere."""
    return given.results or (beside if is_whole else None)
