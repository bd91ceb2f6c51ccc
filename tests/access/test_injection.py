"""A dataset whose groups, features and texts attack: built, shown in pages and terminals, recorded in a database."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

HOSTILE = (
    *("../../etc/passwd", "a/b", "a\nb", "a\rerror: done", "\x1b[31mred", "\x1b]0;owned\x07", "abc\u202efdp.exe"),
    *("<script>alert(1)</script>", '"><img src=http://example.invalid/x onerror=alert(1)>', "</script><b>"),
    *("=cmd|' /C calc'!A0", "'); DROP TABLE versions; --", "-rf", "CON", "x" * 10_000, "{{ 7 * 7 }}", "[red]x[/red]"),
)
STEERING = set("\x00\x07\x1b\r\x85\x9b\u2028\u202e")
TEXT = " ".join(each for each in HOSTILE if len(each) < 100)
pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def attacked(workplace):
    """The root of hostile@1.0.0, built as anything is."""
    lines = [json.dumps({"key": key, "text": key, "=1+1<b>": n}) for n, key in enumerate(HOSTILE * 2)]
    (workplace.folder / "hostile.jsonl").write_text("\n".join(lines) + "\n")
    spec = workplace.spec(
        "hostile",
        source={"kind": "jsonl", "paths": ["hostile.jsonl"]},
        description=TEXT,
        license=TEXT,
        citation=TEXT,
        homepage="javascript:alert(1)",
    )
    done = workplace.run("build", spec)
    assert done.returncode == 0, done.stderr[-2000:]
    assert not (STEERING - {"\r"}) & set(done.stdout + done.stderr)
    for command in (["tag", "hostile@1.0.0", "stable"], ["deprecate", "hostile@1.0.0", "--message", TEXT]):
        assert workplace.run(*command).returncode == 0
    assert workplace.run("catalog").returncode == 0
    return workplace


def test_files_have_the_names_that_they_always_have(attacked):
    names = {path.name for path in (attacked.root / "hostile" / "1.0.0").rglob("*")}
    assert names <= {
        *("claim.json", "manifest.json", "features.json", "dataset_info.json", "README.md", "croissant.json"),
        *("report", "card.html", "checks.json", "data_docs.html"),
        *("train-00000-of-00001.tfrecord", "train.groups.parquet", "train.labels.parquet"),
    }
    assert not list(attacked.folder.rglob("passwd"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["ls"],
        ["ls", "hostile"],
        ["info", "hostile"],
        ["head", "hostile", "--groups", "99"],
        ["groups", "hostile"],
        ["stats", "hostile"],
        ["history", "hostile"],
        ["lineage", "hostile"],
    ],
    ids=" ".join,
)
def test_a_command_prints_text(attacked, arguments):
    assert attacked.call(*arguments) == 0
    _, printed = attacked.output.popitem()
    assert printed and not STEERING & set(printed)
    assert attacked.call(*arguments, "--json") == 0
    _, printed = attacked.output.popitem()
    said = [line for line in printed.splitlines() if line.startswith("warning")]  # on stderr: it is deprecated
    text = "\n".join(line for line in printed.splitlines() if line not in said)
    for document in [text] if text.startswith(("[\n", "{\n")) else text.splitlines():
        json.loads(document)
    assert not STEERING & set(printed)


@pytest.mark.browser
@pytest.mark.parametrize(
    "page", ["hostile/1.0.0/report/card.html", "hostile/1.0.0/report/data_docs.html", "catalog.html"]
)
def test_a_page_runs_nothing_and_asks_nobody(attacked, browser, page):
    troubles = []
    context = browser.new_context()
    opened = context.new_page()
    address = (attacked.root / page).as_uri()
    opened.on("dialog", lambda dialog: (troubles.append(dialog.message), dialog.dismiss()))
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on("request", lambda asked: None if asked.url.startswith(("data:", address)) else troubles.append(asked.url))
    opened.goto(address)
    opened.wait_for_timeout(200)
    assert not opened.query_selector_all("a[href^='javascript:']")
    assert "alert(1)" in opened.content() or "data_docs" in page
    context.close()
    assert troubles == []


def test_the_registry_holds_the_texts_as_they_are(attacked):
    with closing(sqlite3.connect(attacked.root / "registry.db")) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert {"versions", "runs"} <= tables
        dumped = "\n".join(database.iterdump())
    assert "DROP TABLE versions" in dumped  # as a text


def test_nothing_is_written_as_a_spreadsheet(attacked):
    """A formula in a cell would run where the file is opened; there are no such files."""
    written = {path.suffix for path in attacked.root.rglob("*") if path.is_file()}
    assert not written & {".csv", ".tsv", ".xls", ".xlsx"}
    code = [
        path
        for folder in ("reader/groupstream", "commands", "cards", "catalog", "lifecycle", "tasks", "pipelines")
        for path in (Path(__file__).parents[2] / folder).rglob("*.py")
    ]
    assert code and not [path for path in code if "csv.writer" in path.read_text() or ".to_csv(" in path.read_text()]
