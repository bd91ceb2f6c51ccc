"""Specs of small sources, and the command as people type it, in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from groupstream.cli import main
from pipelines.plan import Plan, make_plan
from specs import load_spec

Command = Callable[..., tuple[int, str, str]]
MakePlan = Callable[..., Plan]

NUM_FILES, ROWS = 8, 500


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Eight JSONL files of 500 examples: labels 0 to 4, texts of equal length, authors of whom many wrote once."""
    for file in range(NUM_FILES):
        rows = range(file * ROWS, (file + 1) * ROWS)
        lines = [
            {
                "text": f"example {row:05d} " + "word " * 20,
                "label": row % 5,
                "author": f"a{row if row % 3 else row % 7}",
            }
            for row in rows
        ]
        (tmp_path / f"part-{file}.jsonl").write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    return tmp_path


@pytest.fixture
def spec_file(source: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A spec of that source, grouped by author. The test runs in its folder."""
    monkeypatch.chdir(source)
    fields: dict[str, Any] = {
        "name": "small",
        "source": {"kind": "jsonl", "paths": ["part-*.jsonl"]},
        "partitioner": {"kind": "feature", "feature": "author"},
        "publish": {"root": "datasets"},
    }
    path = source / "spec.yaml"
    path.write_text(yaml.safe_dump(fields))
    return path


@pytest.fixture
def plan_of(spec_file: Path) -> MakePlan:
    """Makes the plan of the spec with some settings."""
    return lambda *settings: make_plan(load_spec(spec_file, settings), identify=False)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `groupstream ARGUMENTS`; exit code, standard output, standard error."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["groupstream", *arguments])
        code = 0
        try:
            main()
        except SystemExit as ending:
            code = int(ending.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run
