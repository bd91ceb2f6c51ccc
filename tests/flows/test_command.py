"""`groupstream build` as people type it: what it prints, and what it says to bad input."""

from __future__ import annotations

import gzip
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

import groupstream
from groupstream.cli import main
from tasks.reporting import reporter
from tests.waiting import LONG

pytestmark = pytest.mark.integration


@pytest.fixture
def command(with_server, root, tmp_path, monkeypatch, capsys):
    """Runs `groupstream ARGUMENTS` in this process; exit code, standard output, standard error."""
    monkeypatch.setenv("GROUPSTREAM_ROOT", str(root))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["groupstream", *arguments])
        try:
            main()
        except SystemExit as ending:
            code = ending.code or 0
        else:
            code = 0
        return int(code), *capsys.readouterr()

    return run


@pytest.fixture
def spec_file(tmp_path, spec_fields) -> Path:
    path = tmp_path / "spec.yaml"
    del spec_fields["publish"]["root"]
    path.write_text(yaml.safe_dump(spec_fields))
    return path


def test_build_ends_with_a_table_and_what_to_type_next(command, spec_file, root):
    code, out, err = command("build", str(spec_file))
    assert code == 0 and "small@1.0.0 is published" in out
    for words in ("12", "train, 4 shards", "60 in, none dropped", "5 / 5 / 5 / 5", "partition", f"{root}/small/1.0.0"):
        assert words in out
    assert "✓ Partition" in err and "60 examples" in err
    following = shlex.split(out.split("next: ")[1])[1:]
    assert command(*following)[0] == 0
    assert "exists already" in command("build", str(spec_file))[1]


def test_build_as_json(command, spec_file):
    shown_before = reporter.get()
    code, out, _ = command("build", str(spec_file), "--json", "--set", "seed=3")
    result = json.loads(out)
    assert (code, result["built"], result["manifest"]["seed"]) == (0, True, 3)
    assert reporter.get() is shown_before, "the next build of this process would tell its log nothing"


def truncate(path: Path) -> None:
    whole = gzip.compress(path.read_bytes() * 50)
    path.with_suffix(".jsonl.gz").write_bytes(whole[: len(whole) // 2])


BAD_INPUT = {
    "unknown key": (
        ["--set", "partitioner.featur=key"],
        2,
        "partitioner.featur is not a key of a spec; did you mean 'feature'?",
    ),
    "missing file": (["--set", "source.paths=[nothing*.jsonl]"], 1, "source path 'nothing*.jsonl' names no file"),
    "feature that is not there": (
        ["--set", "partitioner.feature=kez"],
        2,
        "names feature 'kez', which the source does not give; did you mean 'key'?",
    ),
    "null group key": (
        ["--set", "source.paths=[nulls.jsonl]"],
        1,
        "1 of 2 examples have no group: feature 'key' gives none (nulls.jsonl row 2). Set partitioner.missing",
    ),
    "broken example": (
        ["--set", "checks={examples: {text: {max_length: 5}}}"],
        1,
        "text: max_length: 60 of 60, the limit is at most 5 (source.jsonl row 1, source.jsonl row 2, ",
    ),
    "truncated gzip": (
        ["--set", "source.paths=[source.jsonl.gz]"],
        1,
        "source.jsonl.gz (538 bytes): Truncated compressed stream. Fetch the file again",
    ),
    "group over the limit": (
        ["--set", "checks={groups: {max_examples: 4}}"],
        1,
        "examples per group: 5 to 5, the limit is at least 1, at most 4 ('k",
    ),
    "root that cannot be written": (["--root", "/proc/groupstream"], 1, "cannot write to /proc/groupstream"),
    "no spec": (["--set", "name=Nö"], 2, "name is 'Nö': use lower-case letters"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_gives_one_clear_line_and_publishes_nothing(command, spec_file, root, tmp_path, case):
    (tmp_path / "nulls.jsonl").write_text('{"key": "a", "text": "b"}\n{"key": null, "text": "c"}\n')
    truncate(tmp_path / "source.jsonl")
    arguments, exit_code, words = BAD_INPUT[case]
    code, out, err = command("build", str(spec_file), *arguments)
    lines = [line for line in err.splitlines() if "error" in line.lower()]
    assert (code, out, len(lines)) == (exit_code, "", 1), err
    assert lines[0].startswith("error: ") and words in lines[0] and "Traceback" not in err
    assert command("ls")[1] == "" and not list(root.glob("[!.]*/*"))


def test_works_without_a_server(tmp_path, root, spec_fields):
    """A new machine: no server, no database of Prefect yet."""
    spec = tmp_path / "spec.yaml"
    spec.write_text(yaml.safe_dump(spec_fields))
    command = [str(Path(sys.executable).with_name("groupstream")), "build", str(spec)]
    run = subprocess.run(command, env=_new_machine(tmp_path), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert groupstream.open("small", str(root))["train"].num_groups == 12
    # Only the stages are shown; on a busy machine also that the server, which this build started, was slow to answer.
    slow = ("warning: no turns: ", "warning: the server did not hear ", "warning: cannot ask whether this run ")
    others = [line for line in run.stderr.splitlines() if line.strip() and "✓" not in line]
    assert [line for line in others if not line.startswith(slow)] == []


def test_a_command_that_is_ended_leaves_no_server(tmp_path, spec_fields):
    """The one that Prefect starts beside a run where there is none."""
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(spec_fields))
    command = [str(Path(sys.executable).with_name("groupstream")), "build", str(tmp_path / "spec.yaml")]
    with (tmp_path / "said").open("wb") as said:
        build = subprocess.Popen(command, env=_new_machine(tmp_path), stdout=said, stderr=said)
        process, deadline = psutil.Process(build.pid), time.monotonic() + LONG
        while not (servers := [child for child in process.children() if "uvicorn" in child.cmdline()]):
            assert build.poll() is None and time.monotonic() < deadline, (tmp_path / "said").read_text()
            time.sleep(0.1)
        build.terminate()
        assert build.wait(LONG) == 143, (tmp_path / "said").read_text()
    assert psutil.wait_procs(servers, 60)[1] == []


def _new_machine(folder: Path) -> dict[str, str]:
    """An environment in which Prefect has no server and no home yet."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    return kept | {"PREFECT_HOME": str(folder / "not" / "there" / "yet")}
