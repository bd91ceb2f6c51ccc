"""Specs of small sources, and the command as people type it, in this process."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from groupstream.cli import main
from groupstream.manifest import Manifest, canonical_json
from groupstream.testing import GcsServer
from pipelines.plan import Plan, make_plan
from specs import load_spec

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"

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


@pytest.fixture
def news(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with news@1.2.0 and news@2.0.0, of the files of a golden version, before anybody was told of them.

    It is the root of whoever types commands in the test, who is called `tester`.
    """
    for version in ("1.2.0", "2.0.0"):
        folder = tmp_path / "root" / "news" / version
        shutil.copytree(GOLDEN / "text" / "1.0.0", folder, copy_function=shutil.copyfile)
        manifest = Manifest.from_json((folder / "manifest.json").read_bytes(), "")
        changed = manifest.model_copy(update={"name": "news", "version": version, "digest": version[0] * 64})
        (folder / "manifest.json").write_bytes(changed.to_json())
        (folder / "claim.json").write_bytes(canonical_json({"digest": changed.digest, "run": f"run-{version}"}))
    monkeypatch.setenv("GROUPSTREAM_ROOT", str(tmp_path / "root"))
    monkeypatch.setenv("GROUPSTREAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GROUPSTREAM_USER", "tester")
    return tmp_path / "root"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsServer]:
    """A server of the bucket `bucket`, which gs://bucket then is."""
    with GcsServer("bucket", page_size=3) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        yield server


@pytest.fixture
def everything(tmp_path: Path, bucket: GcsServer) -> Callable[[], dict[str, object]]:
    """All that lies in the folder of the test, hidden things too, and in the bucket, by name."""

    def take() -> dict[str, object]:
        files = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        return {**files, **{f"gs://{name}": o.generation for name, o in bucket.buckets.of("bucket").items()}}

    return take
