"""The commands of the pages: those of groupstream that can run here run, all others are what its parser takes."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from groupstream.cli import main, make_app
from groupstream.manifest import Manifest, canonical_json
from specs import Spec, load_spec
from tests.docs.pages import ROOT, Block, all_blocks, blocks_in, commands_in
from tests.training.data.conftest import TEXT, _grouped, publish
from training.spec import TrainSpec
from training.study import Study

SCRIPTS = all_blocks("bash")
SESSIONS = all_blocks("console")

# Commands that run here, in the process of the test. Others are parsed only: they build, train or stay up.
RUN = {
    *("ls", "info", "head", "stats", "groups", "checks", "verify", "pull", "export", "diff"),
    *("card", "catalog", "tag", "untag", "deprecate", "history", "lineage", "delete", "gc", "doctor"),
}

NOT_RUN = {  # by page: what would run by that rule, and why it does not
    "README.md": "tests/flows/test_readme.py runs it, on the demo",
    "docs/tutorial.md": "tests/flows/test_tutorial.py runs it, on what it builds",
    "docs/access.md": "it opens what an alias leads to, as docs/tags.md does",
}

OTHERS = {  # programs that are neither run nor parsed, and why; whether what they are given is there is another matter
    "alias": "of kubectl",
    "cat": "it writes secrets beside it",
    "cd": "of what follows",
    "chmod": "of what follows",
    "cp": "of what follows",
    "date": "tests/registry/test_backup.py runs it",
    "docker": "tests/infra has its files; no registry is at hand",
    "echo": "of what follows",
    "export": "variables; tests/docs/test_operations.py knows those that are read",
    "gcloud": "it asks Google Cloud",
    "install": "it makes a file for secrets",
    "jq": "of terraform's output",
    "kubectl": "it asks a cluster; tests/infra has its files",
    "head": "of what follows",
    "mkdir": "of what follows",
    "openssl": "it makes passwords",
    "pg_dump": "tests/registry/test_backup.py runs it",
    "pg_restore": "tests/registry/test_backup.py runs it",
    "pip": "it asks an index of packages; its extras are compared",
    "prefect": "it asks a server; the deployments that it names are compared",
    "psql": "it asks a database; tests/infra runs the file",
    "pytest": "these are the tests",
    "python": "a page of its own says what it starts",
    ".venv/bin/python": "tests/infra runs the script",
    "read": "of what follows",
    "rm": "tests/registry/test_backup.py runs it",
    "sed": "of files of the deployment",
    "source": "it takes the environment into the shell",
    "sqlite3": "tests/registry/test_backup.py runs it",
    "terraform": "it asks Google Cloud; tests/infra has its files and its variables",
    "there": "an alias of kubectl",
    "$EDITOR": "a person has it",
}
TO_COME = "build-dataset/films"  # of the tutorial
CONTAINERS = {"docker", "kubectl", "there", "env"}  # programs that run a command of theirs elsewhere
NAMES = {"--namespace", "namespace"}  # of kubectl, before a groupstream that is no command
MODELS = {
    "build": Spec,
    "plan": Spec,
    "preview": Spec,
    "train": TrainSpec,
    "study": Study,
}  # of the files given to a command


class Terminal(io.StringIO):
    """Somebody is there and types this."""

    def isatty(self) -> bool:
        return True


def groupstream_commands(words: list[str]) -> list[list[str]]:
    """The arguments of each `groupstream` of a command: alone, or in a container."""
    return [
        words[place + 1 :]
        for place, word in enumerate(words)
        if word == "groupstream" and (place == 0 or (words[0] in CONTAINERS and words[place - 1] not in NAMES))
    ]


@cache
def parser() -> Any:
    return typer.main.get_command(make_app())


def parse(arguments: list[str]) -> str:
    """Has the real parser look at them, which neither opens nor writes anything; the command's name.

    Raises:
        Exception: of the parser, where it takes them not.
    """
    if arguments == ["--install-completion"]:
        return "--install-completion"  # it would
    with parser().make_context("groupstream", list(arguments)) as context:
        name, command, rest = parser().resolve_command(context, [*context._protected_args, *context.args])
        with command.make_context(name, rest, parent=context):
            return name


def settings(arguments: list[str]) -> Iterator[str]:
    """What follows each --set."""
    yield from (after for option, after in pairwise(arguments) if option == "--set")


def check(block: Block) -> None:
    """Everything that can be said of a block without running it."""
    subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)
    for words in commands_in(block.text):
        called = groupstream_commands(words)
        for arguments in called:
            parse(arguments)
            for file in {word for word in arguments if fnmatch(word, "specs/*.yaml")}:
                load_spec(ROOT / file, settings(arguments), MODELS[arguments[0]])
        match words[0]:
            case "groupstream":
                pass
            case "make":
                assert set(words[1:]) <= make_targets(), f"{block}: {words}"
            case "pip" if words[1] == "install":
                named = {extra for word in words[2:] for extra in re.findall(r"\w+", word.partition("[")[2])}
                assert named <= extras(), f"{block}: {named - extras()}"
            case program:
                assert called or program in OTHERS, f"{block}: nobody said why {program!r} is neither run nor parsed"
        if words[:3] == ["prefect", "deployment", "run"]:
            assert words[3] in {*deployments(), TO_COME}, f"{block}: {words[3]}"


@cache
def make_targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@cache
def extras() -> frozenset[str]:
    project = tomllib.loads((ROOT / "reader" / "pyproject.toml").read_text())["project"]
    return frozenset(project["optional-dependencies"])


@cache
def deployments() -> frozenset[str]:
    found = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    flows = {each["entrypoint"].rpartition(".")[2].replace("_", "-") + "/" + each["name"] for each in found}
    return frozenset(flows)


def runs_here(block: Block) -> bool:
    """Whether all that it has can run on made-up datasets, and something does."""
    commands = commands_in(block.text)
    ours = [words[1] for words in commands if words[0] == "groupstream"]
    others = {words[0] for words in commands} - {"groupstream", "export"}
    return bool(ours) and set(ours) <= RUN and not others and block.page not in NOT_RUN


@pytest.mark.parametrize("block", SCRIPTS, ids=str)
def test_every_command_is_one(block: Block) -> None:
    check(block)


@pytest.mark.parametrize("block", [each for each in SCRIPTS if runs_here(each)], ids=str)
def test_commands_run(block: Block, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for words in commands_in(re.sub(r"gs://[\w-]+/datasets|/data/datasets", str(here / "datasets"), block.text)):
        if words[0] == "export":
            monkeypatch.setenv(*words[1].split("=", 1))
        else:
            run(words, monkeypatch)


@pytest.mark.parametrize("page", sorted({block.page for block in SESSIONS}))
def test_sessions_print_what_they_show(
    page: str, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for version, alias in (("1.2.0", "stable"), ("2.0.0", "candidate")):  # what docs/tags.md begins with
        run(["groupstream", "tag", f"news@{version}", alias], monkeypatch)
    capsys.readouterr()
    for block in (each for each in SESSIONS if each.page == page):
        for command, expected in re.findall(r"^\$ (.*)\n((?:[^$].*\n)*)", block.text, re.MULTILINE):
            run(commands_in(command)[0], monkeypatch)
            assert comparable(capsys.readouterr().out) == comparable(expected), f"{block}: {command}"


def comparable(printed: str) -> list[str]:
    """Without who and when, and how wide that made a column."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", printed)
    lines = re.sub(r"(run )?[0-9a-f]{8}-[0-9a-f-]{27}|\S+@host|tester", "WHO", text).splitlines()
    return [" ".join(line.split()) for line in lines]


def run(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`groupstream ...` in this process; its answer to a question is yes."""
    assert words[0] == "groupstream" and not re.search(r"\$", " ".join(words)), words
    monkeypatch.setattr(sys, "argv", words)
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    code = None
    try:
        main()
    except SystemExit as ending:
        code = ending.code
    assert not code, f"{' '.join(words)} ended with {code}"


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with what the pages name: news and text in several versions, and those of tests/golden/v1."""
    folder = tmp_path_factory.mktemp("docs")
    splits = {
        "train": {"nytimes.com": ["one", "two"], "bbc.co.uk": ["three"], "example.org": ["four"]},
        "validation": {"nytimes.com": ["five"]},
    }
    publish(folder, "news", {name: _grouped(groups, TEXT) for name, groups in splits.items()}, TEXT)
    root = folder / "root"
    shutil.copytree(ROOT / "tests" / "golden" / "v1", root, dirs_exist_ok=True, copy_function=shutil.copyfile)
    for name, version in (("news", "1.2.0"), ("news", "2.0.0"), ("text", "1.2.0"), ("text", "1.3.0")):
        number(root, name, version)
    shutil.rmtree(root / "news" / "1.0.0")
    return root


def number(root: Path, name: str, version: str) -> None:
    """Gives 1.0.0 another number, in a copy."""
    folder = root / name / version
    shutil.copytree(root / name / "1.0.0", folder, copy_function=shutil.copyfile)
    manifest = Manifest.from_json((folder / "manifest.json").read_bytes(), "")
    changed = manifest.model_copy(update={"version": version, "digest": version[0] * 64})
    (folder / "manifest.json").write_bytes(changed.to_json())
    (folder / "claim.json").write_bytes(canonical_json({"digest": changed.digest, "run": f"run-{version}"}))


@pytest.fixture
def here(datasets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a copy of that root, the root of who types."""
    shutil.copytree(datasets, tmp_path / "datasets", copy_function=shutil.copyfile)
    (tmp_path / "specs").symlink_to(ROOT / "specs")
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "GROUPSTREAM_ROOT": str(tmp_path / "datasets"),
        "GROUPSTREAM_CACHE": str(tmp_path / "cache"),
        "GROUPSTREAM_USER": "tester",
        "COLUMNS": "200",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(typer, "launch", lambda address: 0)  # no browser
    return tmp_path


def test_what_is_excused_is_there() -> None:
    assert NOT_RUN.keys() <= {block.page for block in SCRIPTS}
    programs = {words[0] for block in SCRIPTS for words in commands_in(block.text)}
    assert OTHERS.keys() <= programs, "programs that no page has any more"


def test_a_good_part_runs() -> None:
    assert sum(runs_here(block) for block in SCRIPTS) > 10


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("groupstream stats news --by hats", "'hats' is not one of"),
        ("groupstream sats news", "No such command 'sats'"),
        ("groupstream stats news --split", "requires an argument"),
        ("groupstream pull", "Missing parameter"),
        ("docker compose exec worker groupstream ls --rot x", "No such option: --rot"),
        ("groupstream build specs/nowhere.yaml", "no spec at"),
        ("groupstream build specs/demo.yaml --set runner", "no key=value"),
        ("groupstream plan specs/demo.yaml --set runner.kind=dataflow", "runner.project is missing"),
        ("groupstream train specs/training/demo.yaml --set round=3", "round is not a key"),
        ("make dmo", "dmo"),
        ("pip install 'groupstream[troch]'", "troch"),
        ("prefect deployment run build-dataset/nothing", "build-dataset/nothing"),
        ("frobnicate", "nobody said why 'frobnicate'"),
        ("echo 'open", "bash"),
        ("echo $(groupstream nonsense)", "No such command 'nonsense'"),
    ],
)
def test_a_wrong_command_is_found(line: str, problem: str) -> None:
    [block] = blocks_in(f"```bash\n{line}\n```\n", "page.md")
    with pytest.raises(Exception, match=re.escape(problem)):
        check(block)


def test_a_session_that_prints_something_else_is_seen() -> None:
    assert comparable("2026-11-28 21:10:02  2.0.0 published   ann@host\n") == comparable(
        "2027-01-01 00:00:00 2.0.0 published tester\n"
    )
    assert comparable("news@stable: 1.2.0 -> 2.0.0") != comparable("news@stable: 2.0.0 -> 1.2.0")
