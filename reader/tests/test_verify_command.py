"""What `groupstream verify` prints, and how it ends."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from groupstream import cli
from groupstream.commands.printing import format_bytes
from groupstream.manifest import CheckResult, Manifest


@pytest.fixture
def run(golden_copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command as people do, on versions that may be broken: exit code, stdout, stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setenv("GROUPSTREAM_ROOT", str(golden_copy))
        monkeypatch.setattr(sys, "argv", ["groupstream", "verify", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run


def test_each_check_is_a_line_and_the_last_says_that_all_is_well(shown: Any, golden: Path) -> None:
    manifest = Manifest.from_json((golden / "text" / "1.0.0" / "manifest.json").read_bytes(), "")
    num_files, num_bytes = len(manifest.all_files()), sum(file.size_bytes for file in manifest.all_files())
    lines = shown("verify", "text").splitlines()
    assert len(lines) == 8
    assert all(line.startswith("passed  ") for line in lines[:-1])
    assert "passed  groups: 8 groups, 7.2 kB (CRC and group id of each record" in lines[-2]
    size = format_bytes(num_bytes)
    assert lines[-1] == f"text@1.0.0 is as it was written: {num_files} files, {size}, 40 examples"
    assert shown("verify", "text", "--full").splitlines() == lines


def test_json_holds_the_results(shown: Any) -> None:
    found = json.loads(shown("verify", "text", "--json"))
    assert (found["ref"], found["passed"], found["is_whole"]) == ("text@1.0.0", True, True)
    assert found["examples"] == 40 and found["bytes"] > 7_000
    results = [CheckResult.model_validate(check) for check in found["checks"]]
    assert len(results) == 7 and all(result.passed and result.kind == "files" for result in results)


def test_a_failure_is_shown_with_its_offenders_and_the_rest_is_checked(run: Any, golden_copy: Path) -> None:
    path = golden_copy / "text" / "1.0.0" / "train-00001-of-00003.tfrecord"
    path.write_bytes(path.read_bytes()[:-1])
    exit_code, printed, error = run("text")
    assert exit_code == 1
    lines = printed.splitlines()
    assert sum(line.startswith("passed  ") for line in lines) == 4
    assert sum(line.startswith("failed  ") for line in lines) == 3
    size = path.stat().st_size
    assert f"        {path.name}: size_bytes {size}, not {size + 1}" in lines
    assert lines[-1] == "text@1.0.0 is not as it was written: 3 of 7 checks failed"
    assert error.startswith(f"error: {path} has size_bytes") and error.count("\n") == 1


def test_a_failure_is_in_the_json_too(run: Any, golden_copy: Path) -> None:
    (golden_copy / "text" / "1.0.0" / "features.json").write_bytes(b"{}")
    exit_code, printed, error = run("text", "--json")
    assert exit_code == 1 and "features.json has size_bytes 2" in error
    found = json.loads(printed)
    assert not found["passed"]
    assert [check["name"] for check in found["checks"] if not check["passed"]] == ["files", "checksums"]


def test_names_do_not_steer_the_terminal(run: Any, golden_copy: Path) -> None:
    (golden_copy / "text" / "1.0.0" / "a\x1b[31m\nb").write_bytes(b"")
    exit_code, printed, _ = run("text")
    assert exit_code == 0
    assert r"does not name: a\x1b[31m\nb" in printed and "\x1b" not in printed
