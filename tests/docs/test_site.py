"""The site: what it must mention, and that it builds without a warning and reads without a network."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import groupstream
from groupstream.cli import make_app

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_MARKER = re.compile(r"^<!-- help: (.*) -->$", re.MULTILINE)
_LOADED = re.compile(r"""<(?:script|link|img|iframe)[^>]*(?:src|href)=["']?(?:https?:)?//""")


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", groupstream.__all__)
def test_the_reference_has_every_public_name(name: str) -> None:
    assert f"::: groupstream.{name}" in (DOCS / "reference.md").read_text().splitlines()


def test_the_page_on_installing_has_every_extra_with_what_it_brings() -> None:
    extras = tomllib.loads((ROOT / "reader" / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    brought = re.findall(r"^\| `groupstream\[(\w+)\]` \| (\S+) \|", (DOCS / "install.md").read_text(), re.MULTILINE)
    assert [(extra, name.lower()) for extra, name in brought] == [
        (extra, re.split("[<>=]", requirement)[0].replace("torch", "pytorch"))
        for extra, [requirement, *_] in extras.items()
    ]


def test_the_page_of_the_command_line_has_every_command_once() -> None:
    commands = [f"groupstream {command.name}" for command in make_app().registered_commands]
    assert sorted(_MARKER.findall((DOCS / "command-line.md").read_text())) == sorted(["groupstream", *commands])


def test_a_marker_becomes_the_help_of_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "TERMINAL_WIDTH", "NO_COLOR", "TERM"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # so that what the hook sets ends with the test
    hooks = script("docs_hooks")
    page = hooks.on_page_markdown("Before.\n\n<!-- help: groupstream stats -->\n\nAfter <!-- help: x -->.")
    assert page.startswith("Before.\n\n```text\n")
    assert "Usage: groupstream stats [OPTIONS]" in page
    assert page.endswith("Example: groupstream stats stdlib@latest --by bytes\n```\n\nAfter <!-- help: x -->.")
    assert max(map(len, page.splitlines())) <= 78
    with pytest.raises(ValueError, match="groupstream nonsense --help ended with 2"):
        hooks.on_page_markdown("<!-- help: groupstream nonsense -->")


def test_docstrings_become_markdown() -> None:
    docstrings = script("docs_doctests")
    assert docstrings.fenced("Adds.\n\n>>> 1 + 1\n2\n\nMore.") == "Adds.\n\n```pycon\n>>> 1 + 1\n2\n```\n\nMore."
    assert docstrings.escaped("a <b> `<c>`\n```\n<d>\n```\n1 < 2") == "a &lt;b> `<c>`\n```\n<d>\n```\n1 < 2"


@pytest.mark.integration
def test_the_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    pages = {path.relative_to(tmp_path).as_posix(): path.read_text() for path in tmp_path.rglob("*.html")}
    for source in DOCS.rglob("*.md"):
        assert source.relative_to(DOCS).with_suffix(".html").as_posix() in pages
    for name, page in pages.items():
        assert not _LOADED.search(page), name
    assert "Usage: groupstream diff" in pages["command-line.html"]
    assert 'id="groupstream.steps.StreamSteps.shuffle"' in pages["reference.html"]


def test_what_a_page_loads_from_elsewhere_is_seen() -> None:
    assert _LOADED.search('<script src="https://cdn.example/x.js"></script>')
    assert _LOADED.search('<link rel=stylesheet href="//fonts.example/css">')
    assert not _LOADED.search('<a href="https://example.org">there</a> <script src="assets/x.js"></script>')
