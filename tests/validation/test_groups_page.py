"""The page of Great Expectations about the groups, and what running it leaves alone."""

from __future__ import annotations

import logging
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pytest

from groupstream import Dataset
from groupstream.group_table import SCHEMA
from validation import GroupChecks
from validation.group_asks import Ask
from validation.group_suite import GroupSuite
from validation.group_summary import GroupSummary
from validation.groups import check_groups

MARKUP = b"<script>alert(1)</script>$x ${y} {{z}}"


@pytest.fixture
def dataset(tables_as_version: Callable[..., Dataset]) -> Dataset:
    rows = [
        dict.fromkeys(SCHEMA.names, 1) | {"group_id": group_id, "group_hash": number.to_bytes(16, "big")}
        for number, group_id in enumerate((MARKUP, b"b", b"c"))
    ]
    return tables_as_version({"train": pa.Table.from_pylist(rows, SCHEMA)})


FAILING = GroupChecks(min_groups=2, min_examples=3, max_share_of_singletons=0.5, min_words=0)


class _Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_says_what_was_asked_and_found(dataset: Dataset, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        outcome = check_groups(FAILING, dataset, exclusive=True)
    page = outcome.data_docs.decode()
    text = re.sub(r"\s+", " ", _Tags(page).text)
    for result in outcome.results:
        assert f"{result.name}: {result.limit}" in text
        assert all(offender in text for offender in result.offenders)
    assert "3 unexpected values found. 100% of 3 total rows." in text
    assert "Status: Failed" in text
    assert "Run Time" not in text
    assert not caplog.records  # what Great Expectations could not draw, it only logs
    passing = check_groups(GroupChecks(), dataset, exclusive=True).data_docs.decode()
    assert "Status: Succeeded" in re.sub(r"\s+", " ", _Tags(passing).text)


def test_the_page_asks_no_host_and_runs_nothing(dataset: Dataset) -> None:
    page = _Tags(check_groups(FAILING, dataset, exclusive=True).data_docs.decode())
    assert page.tags.isdisjoint({"script", "link", "img", "a", "iframe"})
    assert page.attributes.isdisjoint({"src", "href", "onclick", "onload"})
    assert MARKUP.decode() in page.text


def test_the_page_is_the_same_each_time_and_for_all_sizes_of_blocks(dataset: Dataset) -> None:
    pages = {check_groups(FAILING, dataset, exclusive=True, block_groups=size).data_docs for size in (1, 2, 100, 100)}
    assert len(pages) == 1


def test_an_expectation_that_cannot_be_evaluated_is_no_check_that_failed() -> None:
    ask = Ask("size", None, 3, "at most 3", str, value=lambda summary: "text")  # type: ignore[arg-type,return-value]
    with pytest.raises(RuntimeError, match="Great Expectations could not evaluate 'size'"):
        GroupSuite([ask]).finish(GroupSummary())


def test_great_expectations_stays_off_the_network(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError(f"opened a socket: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    check_groups(FAILING, dataset, exclusive=True)
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"


_SCRIPT = """
import socket, sys
socket.getaddrinfo = lambda *args: print("called", args, file=sys.stderr)
from groupstream import Dataset, Manifest
from groupstream.refs import Location
from groupstream.stores import LocalStore
from validation import GroupChecks
from validation.groups import check_groups

manifest = Manifest.model_validate_json(sys.argv[3])
dataset = Dataset(Location(LocalStore(sys.argv[1]), sys.argv[2]), manifest)
results = check_groups(GroupChecks(min_groups=9, min_examples=3), dataset, exclusive=True).results
assert [result.passed for result in results] == [False, True, False]
"""


def test_checking_groups_prints_nothing_calls_nowhere_and_writes_nothing(dataset: Dataset, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GX_")}
    folders = {name: tmp_path / name for name in ("HOME", "TMPDIR", "cwd")}
    for folder in folders.values():
        folder.mkdir()
    where = Path(dataset.location)
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(where.parent), where.name, dataset.manifest.model_dump_json()],
        capture_output=True,
        text=True,
        env=environment | {"HOME": str(folders["HOME"]), "TMPDIR": str(folders["TMPDIR"])} | _import_path(),
        cwd=folders["cwd"],
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    assert [file for folder in folders.values() for file in folder.rglob("*")] == []


def _import_path() -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
