"""What the library loads, and when."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "apache_beam",
    "great_expectations",
    "jax",
    "pandas",
    "pandera",
    "prefect",
    "sqlalchemy",
    "tensorflow",
    "torch",
}
SLOW = {"numpy", "pyarrow", "pydantic"}  # too slow to load for `groupstream --help`

READ = """
import groupstream
for name in ("text", "tags", "digits"):
    for group in groupstream.open(name, {root!r})["train"]:
        assert len(list(group.examples())) == group.num_examples == group.table().num_rows
        assert group.id in groupstream.open(name, {root!r})["train"]
"""
HELP = """
import contextlib, io, sys
from groupstream.cli import make_app
with contextlib.redirect_stdout(io.StringIO()):
    try:
        make_app()({arguments!r})
    except SystemExit as ended:
        assert not ended.code
"""


def loaded_by(code: str) -> set[str]:
    """The names of all modules that are loaded after `code` has run in a fresh process."""
    code += "\nimport sys; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())


def test_what_is_loaded_is_seen() -> None:
    assert {"sqlite3", "json"} <= loaded_by("import sqlite3, json")
    assert "sqlite3" not in loaded_by("import json")


def test_the_import_loads_nothing_heavy() -> None:
    assert not loaded_by("import groupstream") & (HEAVY | SLOW)


def test_reading_loads_nothing_heavy(golden: Path) -> None:
    loaded = loaded_by(READ.format(root=str(golden)))
    assert "pyarrow" in loaded
    assert not loaded & HEAVY


def test_help_loads_nothing_slow() -> None:
    loaded = loaded_by(HELP.format(arguments=["--help"]))
    assert "typer" in loaded
    assert not loaded & (HEAVY | SLOW)


@pytest.mark.parametrize(
    "command", ["ls", "info", "head", "stats", "groups", "verify", "pull", "export", "diff", "quarantine"]
)
def test_help_of_a_command_loads_no_library_of_data(command: str) -> None:
    loaded = loaded_by(HELP.format(arguments=[command, "--help"]))
    assert not loaded & (HEAVY | SLOW - {"pydantic"})  # Typer loads pydantic by itself, where it is installed
