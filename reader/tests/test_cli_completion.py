"""What a shell is offered, asked through the variables that shells set, and by Bash, which cuts words at an @."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from groupstream import cli
from groupstream.testing import FaultyServer, Reply

LOADED = """
import atexit, sys
atexit.register(lambda: print(*sys.modules, sep="\\n", file=sys.stderr))
from groupstream.cli import main
sys.argv = ["groupstream"]
main()
"""
SHELLS = ("bash", "zsh", "fish")

Ask = Callable[..., list[str]]


def variables(shell: str, line: str) -> dict[str, str]:
    """What the script that Typer installs sets for a line whose cursor stands at its end."""
    asked = {"_GROUPSTREAM_COMPLETE": f"complete_{shell}"}
    if shell != "bash":
        return {**asked, "_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    words = line.replace("@", " @ ").replace("=", " = ").split()
    words += [""] if line.endswith(" ") else []
    return {**asked, "COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}


@pytest.fixture
def ask(golden: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """The words that a shell is offered."""
    monkeypatch.setattr(sys, "argv", ["groupstream"])

    def offered(line: str, shell: str = "fish", root: Path = golden) -> list[str]:
        for name, value in {"GROUPSTREAM_ROOT": str(root), **variables(shell, line)}.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        assert (ended.value.code or 0, printed.err) == (0, "")
        lines = printed.out.replace("_arguments '*: :((", "").replace("))'", "").splitlines()
        return [line.split("\t")[0].split('":"')[0].strip('"') for line in lines if line not in ("", "_files")]

    return offered


@pytest.mark.parametrize("shell", SHELLS)
def test_commands_names_and_splits_are_offered(ask: Ask, shell: str) -> None:
    assert {"stats", "groups", "diff"} <= set(ask("groupstream ", shell))
    assert ask("groupstream sta", shell) == ["stats"]
    assert ask("groupstream info t", shell) == ["tags", "text"]
    assert ask("groupstream ls d", shell) == ["digits"]
    assert ask("groupstream info te", shell) == ["text", "text@latest", "text@1.0.0"]
    assert ask("groupstream stats text --split ", shell) == ["train"]
    assert ask("groupstream head text --split tr", shell) == ["train"]
    assert ask("groupstream head text --split x", shell) == []
    assert "--split" in ask("groupstream head text --s", shell)


@pytest.mark.parametrize(("shell", "kept"), [("bash", ""), ("zsh", "text"), ("fish", "text")])
def test_versions_are_offered_after_an_at(ask: Ask, shell: str, kept: str) -> None:
    """Bash replaces only what stands from the @ on."""
    assert ask("groupstream info text@", shell) == [f"{kept}@latest", f"{kept}@1.0.0"]
    assert ask("groupstream info text@1", shell) == [f"{kept}@1.0.0"]
    assert ask("groupstream diff text tags@l", shell) == [f"{kept and 'tags'}@latest"]
    assert ask("groupstream info nothing@", shell) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_a_root_that_is_typed_counts(ask: Ask, golden: Path, tmp_path: Path, shell: str) -> None:
    for option in (f"--root {golden}", f"--root={golden}"):
        assert ask(f"groupstream info {option} di", shell, root=tmp_path)[0] == "digits"
        assert ask(f"groupstream head text {option} --split ", shell, root=tmp_path) == ["train"]


@pytest.mark.parametrize("line", ["info ", "info x@", "head x --split ", "head --split ", "head text@1.0.0@ --split "])
def test_where_there_is_nothing_nothing_is_offered_and_nothing_said(ask: Ask, tmp_path: Path, line: str) -> None:
    for root in (tmp_path, tmp_path / "missing"):
        assert ask(f"groupstream {line}", root=root) == []


def test_a_broken_version_offers_nothing(ask: Ask, golden_copy: Path) -> None:
    (golden_copy / "text" / "1.0.0" / "manifest.json").write_bytes(b"\xff not json")
    assert ask("groupstream stats text --split ", root=golden_copy) == []


def test_versions_without_a_manifest_are_not_offered(ask: Ask, golden_copy: Path) -> None:
    shutil.copytree(golden_copy / "text" / "1.0.0", golden_copy / "text" / "2.0.0")
    assert "text@2.0.0" in ask("groupstream info text@", root=golden_copy)
    (golden_copy / "text" / "2.0.0" / "manifest.json").unlink()
    assert "text@2.0.0" not in ask("groupstream info text@", root=golden_copy)


class Silent(FaultyServer):
    """A server that takes requests and never answers."""

    def reply(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        time.sleep(300)
        return Reply(200)


def test_a_store_that_does_not_answer_is_not_waited_for(ask: Ask) -> None:
    pytest.importorskip("requests")
    with Silent() as server:
        assert ask(f"groupstream head text@1.0.0 --root {server.url} --split ") == []
        assert server.requests
    assert signal.getitimer(signal.ITIMER_REAL)[0] != 0.5  # not our clock any more


@pytest.mark.parametrize("line", ["st", "info te", "info text@", "head text --split "])
def test_an_answer_loads_no_library_of_data(golden: Path, line: str) -> None:
    environment = {**os.environ, "GROUPSTREAM_ROOT": str(golden), **variables("bash", f"groupstream {line}")}
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip()
    loaded = set(done.stderr.splitlines())
    assert "typer" in loaded
    assert not loaded & {"numpy", "pyarrow", "pandas", "prefect", "apache_beam", "tensorflow", "torch", "jax"}


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """An environment with an empty home and the command on its path."""
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "groupstream"
    command.write_text(f"#!{sys.executable}\nfrom groupstream.cli import main\nmain()\n")
    command.chmod(0o755)
    (tmp_path / "home").mkdir()
    return {**os.environ, "HOME": str(tmp_path / "home"), "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_is_installed_for_each_shell(installed: dict[str, str], shell: str) -> None:
    environment = {**installed, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = subprocess.run(
        ["groupstream", "--install-completion", shell], env=environment, capture_output=True, text=True, check=True
    )
    assert f"{shell} completion installed in" in done.stdout
    written = [path.read_text() for path in Path(installed["HOME"]).rglob("*") if path.is_file()]
    assert any(f"_GROUPSTREAM_COMPLETE=complete_{shell}" in text for text in written)


BASH = """
source "$HOME/.bashrc"
COMP_WORDS=(groupstream info text @ 1); COMP_CWORD=4
_groupstream_completion groupstream
printf '%s\\n' "${COMPREPLY[@]}"
"""


def test_bash_itself_gets_the_answers(installed: dict[str, str], golden: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash on this machine")
    environment = {**installed, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1", "GROUPSTREAM_ROOT": str(golden)}
    subprocess.run(["groupstream", "--install-completion", "bash"], env=environment, capture_output=True, check=True)
    done = subprocess.run([bash, "--norc", "-c", BASH], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "@1.0.0\n"
