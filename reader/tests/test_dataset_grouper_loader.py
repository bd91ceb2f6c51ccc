"""Dataset Grouper's own loader reads what we export: run where an environment has it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import groupstream
from groupstream.exports import export
from groupstream.features import Features

READ = Path(__file__).parents[2] / "benchmarks" / "peers" / "read_dataset_grouper.py"


@pytest.fixture(scope="session")
def read_with_its_loader() -> Callable[..., Any]:
    """Runs Dataset Grouper itself, where there is an environment with it."""
    python = os.environ.get("DATASET_GROUPER_PYTHON")
    if not python:
        pytest.skip("$DATASET_GROUPER_PYTHON names no Python with Dataset Grouper; see benchmarks/peers/README.md")

    def read(mode: str, folder: Path) -> Any:
        command = [python, str(READ), mode, str(folder), f"{folder}/train-*.tfrecord"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return read


@pytest.mark.parametrize("name", ["text", "tags", "digits"])
def test_its_loader_reads_what_we_export(
    golden: Path, tmp_path: Path, name: str, read_with_its_loader: Callable[..., Any]
) -> None:
    train = groupstream.open(name, str(golden))["train"]
    export(train, tmp_path, num_files=2)
    found = read_with_its_loader("dump", tmp_path)
    assert [
        [as_it_gives(example, group.id, train.features) for example in group.examples()] for group in train
    ] == found


def test_its_loader_counts_what_we_export(
    golden: Path, tmp_path: Path, read_with_its_loader: Callable[..., Any]
) -> None:
    export(groupstream.open("text", str(golden))["train"], tmp_path)
    assert read_with_its_loader("groups", tmp_path).items() >= {"groups": 8, "examples": 40}.items()
    assert read_with_its_loader("flat", tmp_path).items() >= {"batches": 1, "examples": 40}.items()


def as_it_gives(example: dict[str, Any], group_id: bytes, features: Features) -> dict[str, Any]:
    """Byte strings as text of Latin-1; an optional value as a list of one or none."""
    given = {"group_id": group_id.decode("latin-1")}
    for name, value in example.items():
        plain = as_json(value)
        if features[name].optional:
            plain = [] if value is None else plain if features[name].is_list else [plain]
        given[name] = plain
    return given


def as_json(value: Any) -> Any:
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, str):
        return value.encode().decode("latin-1")
    return value.tolist() if hasattr(value, "tolist") else value
