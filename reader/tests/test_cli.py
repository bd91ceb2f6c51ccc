"""The command as people run it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import groupstream
from groupstream import Feature, cli

MAIN = "import sys; from groupstream.cli import main; sys.argv[0] = 'groupstream'; main()"


def run(*arguments: str, root: Path) -> subprocess.CompletedProcess[str]:
    """In a process of its own."""
    command = [sys.executable, "-c", MAIN, *arguments]
    environment = {**os.environ, "GROUPSTREAM_ROOT": str(root), "COLUMNS": "150", "PYTHONUTF8": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """The same in this process, which is faster."""

    def called(*arguments: str, root: Path) -> subprocess.CompletedProcess[str]:
        monkeypatch.setenv("GROUPSTREAM_ROOT", str(root))
        monkeypatch.setenv("COLUMNS", "150")
        monkeypatch.setattr(sys, "argv", ["groupstream", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, int(ended.value.code or 0), printed.out, printed.err)

    return called


def test_ls_lists_the_versions(shown: Any) -> None:
    assert [line.split() for line in shown("ls").splitlines()] == [
        ["version", "aliases", "published", "groups", "examples", "bytes", "words"],
        ["digits@1.0.0", "2026-11-25", "3", "20", "1.4", "kB", "0"],
        ["tags@1.0.0", "2026-11-25", "4", "24", "3.7", "kB", "24"],
        ["text@1.0.0", "2026-11-25", "8", "40", "6.5", "kB", "186"],
    ]
    figures = {"groups": 4, "examples": 24, "bytes": 3741, "words": 24}
    assert json.loads(shown("ls", "tags", "--json")) == [
        {
            "ref": "tags@1.0.0",
            "aliases": [],
            "state": "published",
            "message": "",
            "published_at": "2026-11-25T06:58:29+00:00",
            **figures,
        }
    ]


def test_info_shows_what_a_version_is(shown: Any, golden: Path) -> None:
    text = shown("info", "text@latest")
    for expected in (
        "text@1.0.0",
        "8 groups, 40 examples, 6,519 bytes, 186 words",
        "1 / 3 / 9 / 11",
        "note: string, may be missing",
        "kind=feature",
        "dropped    none",
        "3 shards of 7.2 kB, index of 3.0 kB",
        "checks     10 of 10 passed",
        "in 11 files, format 1",
        "with seed 7",
    ):
        assert expected in text
    manifest = json.loads((golden / "text" / "1.0.0" / "manifest.json").read_bytes())
    del manifest["checksum"]
    assert json.loads(shown("info", "text", "--json")) == manifest


def test_head_shows_examples(shown: Any) -> None:
    text = shown("head", "text", "--groups", "3", "--examples", "1")
    assert "Łukasz Żółw  (9 examples)" in text
    assert text.count("author") == 3
    assert "日本" in shown("head", "tags", "--groups", "9", "--examples", "9")


def test_head_gives_one_group_as_json(shown: Any, golden: Path) -> None:
    [group] = json.loads(shown("head", "text", "--group", "Ada Lovelace", "--examples", "99", "--json"))
    examples = groupstream.open("text", str(golden))["train"].group("Ada Lovelace").examples()
    assert group == {"group_id": "Ada Lovelace", "num_examples": 11, "examples": list(examples)}


def test_head_gives_tensors_as_json(shown: Any) -> None:
    groups = json.loads(shown("head", "digits", "--groups", "3", "--examples", "1", "--json"))
    assert [len(g["examples"][0]["image"]) for g in groups] == [4, 4, 4]


def test_json_holds_what_json_cannot(make_version: Any, shown: Any) -> None:
    features = {"x": Feature(dtype="float32", shape=(None,)), "y": Feature(dtype="bytes", shape=(None,))}
    root = make_version([{"x": [float("nan"), float("-inf")], "y": [b"a\xff"]}], [b"\xff"], features)
    text = shown("head", "made", "--root", str(root), "--json")
    [group] = json.loads(text, parse_constant=pytest.fail)
    assert group == {"group_id": "\\xff", "num_examples": 1, "examples": [{"x": ["nan", "-inf"], "y": ["a\\xff"]}]}


def test_verify_says_what_it_read(shown: Any) -> None:
    assert "text@1.0.0 is as it was written: 11 files" in shown("verify", "text")
    result = json.loads(shown("verify", "text", "--json"))
    assert (result["ref"], result["files"], result["examples"]) == ("text@1.0.0", 11, 40)


SHOW_DATA = [
    ["head", "made"],
    ["head", "made", "--json"],
    ["info", "made"],
    ["groups", "made"],
    ["groups", "made", "--json"],
]


@pytest.mark.parametrize("arguments", [*SHOW_DATA, ["stats", "made"], ["ls"]])
def test_data_cannot_steer_the_terminal(call: Any, make_version: Any, arguments: list[str]) -> None:
    nasty = "[red]x[/red] \x1b[31m\x9b31m\x07\u202e"
    root = make_version(
        [{nasty: nasty}], [nasty.encode()], {nasty: Feature(dtype="string")},
        description=nasty, source={nasty: nasty}, spec={"partitioner": {"feature": nasty}},
    )  # fmt: skip
    done = call(*arguments, root=root)
    assert (done.returncode, done.stderr) == (0, "")
    assert not {"\x1b", "\x9b", "\x07", "\u202e"} & set(done.stdout)
    if arguments in SHOW_DATA:
        assert "[red]x[/red]" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["info", "nothing"], 2, "error: no dataset 'nothing' in "),
        (["info", "text@9.0.0"], 2, "error: text@9.0.0 not found; newest is 1.0.0."),
        (["head", "text", "--split", "test"], 2, "error: text@1.0.0 has no split 'test'; it has train"),
        (["head", "text", "--group", "a\x1b[31m"], 2, "error: text@1.0.0 has no group 'a\\x1b[31m' in split train"),
        (["groups", "text", "--split", "test"], 2, "error: text@1.0.0 has no split 'test'; it has train"),
        (["stats", "text", "--split", "test"], 2, "error: text@1.0.0 has no split 'test'; it has train"),
        (["diff", "text", "text@2.0.0"], 2, "error: text@2.0.0 not found; newest is 1.0.0."),
        (["ls", "nothing"], 2, "error: no dataset 'nothing' in "),
        (["head", "text", "--group", "\udcff"], 2, r"error: text@1.0.0 has no group b'\xff' in split train"),
        (["pull", "text", "--group", "\udcff"], 2, r"error: text@1.0.0 has no group b'\xff' in train: 1 of the 1"),
        (["info", "~nobody-at-all/text/1.0.0"], 2, "error: ~nobody-at-all/text/1.0.0: no such folder."),
        (["info", "text@" + "9" * 300], 2, "error: text@999"),
        (["info", "./" + "x" * 300], 2, "error: ./xxx"),
        (["info", "text", "--root", "~nobody-at-all"], 2, "error: no dataset 'text' in "),
    ],
)
def test_a_wrong_question_is_one_line_and_exit_code_2(
    call: Any, golden: Path, arguments: list[str], exit_code: int, message: str
) -> None:
    done = call(*arguments, root=golden)
    assert done.returncode == exit_code
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_terminal_that_knows_ascii_only_is_shown_what_it_can_show(
    golden: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    assert "\\u0141ukasz" in run("groups", "text", root=golden).stdout
    stats = run("stats", "text", root=golden)
    assert (stats.returncode, stats.stderr) == (0, "")
    assert "#####" in stats.stdout
    assert stats.stdout.isascii()


def test_wrong_usage_is_exit_code_2(call: Any, golden: Path) -> None:
    for arguments in (
        ["info"],
        ["info", "text", "--no-such-option"],
        ["nonsense"],
        ["head", "text", "--groups", "0"],
        ["diff", "text"],
        ["groups", "text", "--sort", "name"],
        ["stats", "text", "--by", "size"],
    ):
        assert call(*arguments, root=golden).returncode == 2


def test_bad_data_is_one_line_and_exit_code_1(golden_copy: Path) -> None:
    path = golden_copy / "text" / "1.0.0" / "train-00000-of-00003.tfrecord"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    done = run("verify", "text", root=golden_copy)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {path} has crc32c")
    assert done.stderr.count("\n") == 1
    assert run("head", "text", root=golden_copy).returncode == 1
    assert "Traceback" in run("--debug", "verify", "text", root=golden_copy).stderr


def test_a_version_that_cannot_be_read_hides_no_other(call: Any, golden_copy: Path) -> None:
    manifest = golden_copy / "tags" / "1.0.0" / "manifest.json"
    manifest.write_bytes(b"{}")
    done = call("ls", root=golden_copy)
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["version", "digits@1.0.0", "text@1.0.0"]
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(f"error: {manifest}")
    assert len(json.loads(call("ls", "--json", root=golden_copy).stdout)) == 2


def test_a_dataset_that_cannot_be_read_hides_no_other(call: Any, golden_copy: Path) -> None:
    shutil.rmtree(golden_copy / "tags" / "1.0.0")
    manifest = golden_copy / "tags" / "1.0.0" / "manifest.json"
    manifest.parent.mkdir()
    manifest.symlink_to("manifest.json")  # as if it could not be read, also for root
    done = call("ls", root=golden_copy)
    assert len(done.stdout.splitlines()) == 3
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(f"error: cannot read {manifest}: Too many levels of symbolic links")


def test_what_the_system_refuses_is_one_line_with_the_path(call: Any, golden_copy: Path) -> None:
    index = golden_copy / "text" / "1.0.0" / "train.groups.parquet"
    index.unlink()
    index.symlink_to(index.name)
    done = call("head", "text", root=golden_copy)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: {index}: Too many levels of symbolic links. Check the path and who may use it\n"


def test_a_root_that_is_a_file_is_one_line(call: Any, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    for arguments in (["ls"], ["info", "text"], ["head", "text@1.0.0"], ["pull", "text"]):
        done = call(*arguments, root=file)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"{file} is a file; a root is a folder with versions as <name>/<version>" in done.stderr
        assert done.stderr.count("\n") == 1


def test_an_empty_root_says_how_to_begin(tmp_path: Path) -> None:
    done = run("ls", root=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"no dataset in {tmp_path}; build one with: groupstream build SPEC\n"
    assert json.loads(run("ls", "--json", root=tmp_path).stdout) == []


@pytest.mark.parametrize("arguments", [["build", "spec.yaml"], ["--debug", "build"]])
def test_build_without_the_platform_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    monkeypatch.setattr(metadata, "entry_points", lambda group: ())
    monkeypatch.setattr(sys, "argv", ["groupstream", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(
        "error: groupstream build comes with the platform, which is not installed here; install groupstream-platform"
    )


def test_a_command_of_the_platform_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    class EntryPoint:
        def load(self) -> Any:
            return lambda app: app.command("build")(lambda: print("built"))

    monkeypatch.setattr(metadata, "entry_points", lambda group: (EntryPoint(),))
    assert CliRunner().invoke(cli.make_app(), ["build"]).stdout == "built\n"


@pytest.mark.parametrize("command", [command.name for command in cli.make_app().registered_commands])
def test_the_help_of_every_command_ends_in_an_example(shown: Any, command: str) -> None:
    *_, last = shown(command, "--help").strip().splitlines()
    assert f"Example: groupstream {command} " in f"{last} "


def test_the_commands_are_these() -> None:
    commands = {command.name for command in cli.make_app().registered_commands}
    assert {"ls", "info", "head", "stats", "groups", "verify", "diff"} <= commands
