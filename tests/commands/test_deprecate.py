"""`groupstream deprecate`."""

from __future__ import annotations

import json

import pytest

from groupstream.catalog import read_catalog
from groupstream.stores import LocalStore
from registry import Registry


def test_a_line_says_what_was_before(command, news):
    code, out, err = command("deprecate", "news@1.2.0", "--message", "half of it; use 2.0.0")
    assert (code, out, err) == (0, "news@1.2.0: published -> deprecated (half of it; use 2.0.0)\n", "")
    code, out, err = command("deprecate", "news@1.2.0", "-m", "half of it; use 2.0.0")
    assert (code, out, err) == (0, "news@1.2.0: deprecated (half of it; use 2.0.0), as before\n", "")
    registry = Registry(f"sqlite:///{news / 'registry.db'}")
    states = {row.version: (row.state, row.message) for row in registry.versions("news", str(news))}
    registry.close()
    assert states == {"1.2.0": ("deprecated", "half of it; use 2.0.0"), "2.0.0": ("published", "")}
    code, out, err = command("deprecate", "news@1.2.0", "--undo")
    assert (code, out, err) == (0, "news@1.2.0: deprecated (half of it; use 2.0.0) -> published\n", "")


def test_who_deprecates_what_an_alias_leads_to_is_told(command, news):
    code, out, err = command("deprecate", "news@2.0.0", "-m", "bad")
    assert (code, out) == (0, "news@2.0.0: published -> deprecated (bad)\n")
    assert err == "note: latest still leads to it; move it with: groupstream tag REF latest\n"


def test_json_says_the_same(command, news):
    code, out, _ = command("deprecate", "news@1.2.0", "-m", "bad", "--json")
    assert code == 0 and json.loads(out) == {
        "ref": "news@1.2.0",
        "before": None,
        "after": {"state": "deprecated", "message": "bad"},
        "aliases": [],
        "dry_run": False,
    }


def test_a_dry_run_writes_nothing(command, news, everything):
    before = everything()
    code, out, _ = command("deprecate", "news@1.2.0", "-m", "bad", "--dry-run")
    assert (code, out) == (0, "news@1.2.0: published -> deprecated (bad) (dry run: nothing was written)\n")
    assert everything() == before


def test_a_hostile_message_is_shown_on_one_line_and_kept_as_it_is(command, news):
    message = "\x1b[31m[bold]\r\nx\u202e'); DROP TABLE versions;--"
    code, out, _ = command("deprecate", "news@1.2.0", "-m", message)
    assert code == 0 and len(out.splitlines()) == 1 and out.rstrip("\n").isprintable() and "[bold]" in out
    assert read_catalog(LocalStore(news), "news").get("1.2.0").message == message
    assert json.loads(command("deprecate", "news@1.2.0", "-m", message, "--json")[1])["after"]["message"] == message


BAD = {
    "neither": (["news@1.2.0"], "give either --message"),
    "both": (["news@1.2.0", "--undo", "-m", "x"], "give either --message"),
    "no words": (["news@1.2.0", "-m", "  "], "needs a message"),
    "too many": (["news@1.2.0", "-m", "x" * 1001], "write at most 1,000"),
    "no such version": (["news@9.0.0", "-m", "x"], "newest is 2.0.0"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_is_refused_in_a_line(command, news, case):
    arguments, words = BAD[case]
    code, out, err = command("deprecate", *arguments)
    assert (code, out) == (2, "") and words in err and len(err.splitlines()) == 1
    assert read_catalog(LocalStore(news), "news") is None
