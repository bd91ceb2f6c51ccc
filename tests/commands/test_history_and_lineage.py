"""`groupstream history` and `groupstream lineage`."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

from groupstream.catalog import update_catalog
from groupstream.catalog.changes import set_alias
from groupstream.stores import LocalStore
from registry import PullRecord, Registry

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOSTILE = "\x1b[31m[bold]\"</script>\r\nx\u202e'); DROP TABLE runs;--"


@pytest.fixture
def used(command, news):
    """Both versions are known; 2.0.0 was read by a run and pulled by somebody, and an alias moved."""
    command("tag", "news@1.2.0", "stable")
    command("tag", "news@2.0.0", "stable")
    registry = Registry(f"sqlite:///{news / 'registry.db'}")
    registry.start_run("run-2.0.0", str(news), "news", "2" * 64)
    registry.start_run("t1", str(news), "news", "0" * 64, kind="training", prefect_url="http://127.0.0.1:4200/runs/t1")
    registry.record_use("t1", str(news), "news", "2.0.0")
    registry.record_pulls(str(news), [PullRecord("p1", "news", "2.0.0", NOW, HOSTILE, ("train",), 1_300_000)])
    registry.close()
    return news


def test_history_is_a_table_newest_first(command, used):
    code, out, err = command("history", "news")
    assert (code, err) == (0, "")
    header, *rows = out.splitlines()
    assert header.split() == ["at", "(UTC)", "what", "by"]
    told = [re.split(r"  +", row.rstrip())[1:] for row in rows]
    assert told[0] == ["stable: 1.2.0 -> 2.0.0", "tester"] and told[1] == ["stable: none -> 1.2.0", "tester"]
    assert ["1.2.0 published", "run run-1.2.0"] in told and ["2.0.0 published", "run run-2.0.0"] in told
    assert [row[:19] for row in rows] == sorted((row[:19] for row in rows), reverse=True)


def test_history_shows_the_newest_and_says_how_many_there_are(command, used):
    code, out, err = command("history", "news", "--limit", "2")
    assert code == 0 and len(out.splitlines()) == 3
    assert re.fullmatch(r"\d older ones; see them with: --limit \d\n", err)


def test_history_as_json(command, used):
    events = json.loads(command("history", "news", "--json")[1])
    assert {**events[0], "at": None} == {
        "at": None,
        "kind": "alias",
        "version": "2.0.0",
        "alias": "stable",
        "before": "1.2.0",
        "by": "tester",
        "run": None,
        "message": "",
    }
    assert datetime.fromisoformat(events[0]["at"]).tzinfo is not None


def test_history_of_what_others_wrote_stays_in_its_row(command, news):
    command("tag", "news@1.2.0", "stable")
    update_catalog(LocalStore(news), "news", lambda c: set_alias(c, "x", "1.2.0", NOW.replace(year=2027), HOSTILE))
    code, out, _ = command("history", "news", "--limit", "1")
    assert code == 0 and all(line.isprintable() for line in out.splitlines())
    assert r"\x1b[31m[bold]" in out and "DROP TABLE runs" in out
    assert json.loads(command("history", "news", "--json", "--limit", "1")[1])[0]["by"] == HOSTILE


def test_history_of_nothing_is_refused_in_a_line(command, news):
    code, out, err = command("history", HOSTILE)
    assert (code, out) == (2, "") and "no dataset" in err and len(err.splitlines()) == 1


@pytest.mark.parametrize("name", ["history", "lineage"])
def test_asking_writes_nothing(command, news, everything, name):
    before = everything()
    assert command(name, "news" if name == "history" else "news@1.2.0")[0] == 0
    assert everything() == before


def test_lineage_is_a_tree(command, used):
    code, out, err = command("lineage", "news@stable")
    assert (code, err) == (0, "")
    assert out.startswith(f"news@2.0.0, published, in {used}\n")
    assert "built by run run-2.0.0 (build of news, running, " in out
    assert "run t1 (training of news, running, " in out and "http://127.0.0.1:4200/runs/t1" in out
    assert r"\x1b[31m[bold]" in out and "1 time, 1.3 MB, last 2026-05-01 12:00" in out
    assert all(line.isprintable() for line in out.splitlines())


def test_lineage_as_json(command, used):
    found = json.loads(command("lineage", "news@2.0.0", "--json")[1])
    assert (found["ref"], found["state"], found["run"]) == ("news@2.0.0", "published", "run-2.0.0")
    assert [run["id"] for run in found["used_by"]] == ["t1"] and found["built_by"]["id"] == "run-2.0.0"
    assert [(reader["by"], reader["num_pulls"]) for reader in found["pulled_by"]] == [(HOSTILE, 1)]


def test_lineage_as_a_diagram_of_which_nothing_is_markup(command, used):
    code, out, _ = command("lineage", "news@2.0.0", "--mermaid")
    assert code == 0
    first, *lines = out.splitlines()
    assert first == "flowchart LR" and '  v["news@2.0.0"]:::this' in lines
    assert '  v --> r0(["training of news, run t1"])' in lines
    [pulled] = [line for line in lines if "pulled by" in line]
    assert re.fullmatch(r'  v -\.-> u0\(\["pulled by [^"<>`]*"\]\)', pulled)


def test_lineage_without_a_registry_says_so(command, news):
    code, out, err = command("lineage", "news@1.2.0")
    assert (code, out) == (0, f"news@1.2.0, published, in {news}\n")
    assert err == "note: there is no registry here to ask; this is what the manifest says\n"
