"""`groupstream catalog` as people type it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from groupstream.cli import main
from groupstream.layout import CATALOG_PAGE

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `groupstream ARGUMENTS` for the root of the store; exit code, standard output, standard error."""
    monkeypatch.setenv("GROUPSTREAM_ROOT", store.root)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["groupstream", *arguments])
        code = 0
        try:
            main()
        except SystemExit as ending:
            code = int(ending.code or 0)
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a browser was asked for."""
    addresses: list[str] = []
    monkeypatch.setattr("typer.launch", lambda address: addresses.append(address) or 0)
    return addresses


def test_it_writes_the_page_and_prints_where(command, store, publish, shown):
    publish("news@1.0.0")
    assert command("catalog") == (0, f"{store.root}/catalog.html\n", "")
    assert b'href="news/1.0.0/report/card.html"' in store.read(CATALOG_PAGE)
    assert not shown


def test_it_opens_the_page(command, store, publish, shown):
    publish("news@1.0.0")
    assert command("catalog", "--open")[0] == 0
    assert shown == [(Path(store.root) / CATALOG_PAGE).as_uri()]


def test_a_page_elsewhere_links_to_the_root_and_leaves_it_alone(command, store, publish, shown, tmp_path):
    publish("news@1.0.0")
    file = tmp_path / "a page.html"
    assert command("catalog", "--to", str(file), "--open") == (0, f"{file}\n", "")
    assert f'href="{Path(store.root).as_uri()}/news/1.0.0/report/card.html"' in file.read_text()
    assert shown == [file.as_uri()]
    assert not (Path(store.root) / CATALOG_PAGE).exists()


@pytest.mark.parametrize("more", [(), ("--to", "x.html"), ("--open",)])
def test_an_empty_root_is_said_so(command, shown, more):
    code, out, err = command("catalog", *more)
    assert (code, out) == (0, "")
    assert "no dataset in" in err
    assert "groupstream build SPEC" in err
    assert not shown


def test_what_cannot_be_is_one_line(command, publish, tmp_path):
    publish("news@1.0.0")
    code, _, err = command("catalog", "--root", "https://nowhere.example/x")
    assert (code, err.count("\n")) == (2, 1)
    assert "is on a web server, which does not list" in err
    code, _, err = command("catalog", "--root", "gs://bucket/x", "--open")
    assert (code, err.count("\n")) == (2, 1)
    assert "write the page to a file first, with --to FILE" in err
    code, _, err = command("catalog", "--to", str(tmp_path / "missing" / "x.html"))
    assert (code, err.count("\n")) == (1, 1)
    assert "choose another file with --to" in err
