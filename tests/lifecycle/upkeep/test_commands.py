"""`groupstream delete`, `gc` and `doctor` as people type them."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from groupstream.catalog import read_catalog, update_catalog
from groupstream.catalog.changes import set_alias
from groupstream.cli import main
from lifecycle.deletion import delete_version
from lifecycle.folders import version_folder

Command = Callable[..., tuple[int, str, str]]
LONG_AGO = datetime.now(UTC) - timedelta(days=400)


class Terminal(io.StringIO):
    """A person who types this."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def command(places, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `groupstream ARGUMENTS` on the root of the test; exit code, standard output, standard error."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("GROUPSTREAM_ROOT", places.store.root)
    monkeypatch.setenv("GROUPSTREAM_REGISTRY_URL", f"sqlite:///{places.folder}/registry.db")
    monkeypatch.setenv("GROUPSTREAM_USER", "ann")

    def run(*arguments: str, typed: str | None = None) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["groupstream", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO() if typed is None else Terminal(typed))
        code = 0
        try:
            main()
        except SystemExit as ending:
            code = int(ending.code or 0)
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def three(publish) -> None:
    for minor in range(3):
        publish(f"text@1.{minor}.0", at=LONG_AGO)


def state_of(store, version: str) -> str:
    return read_catalog(store, "text").get(version).state


def test_delete_asks_and_deletes(three, store, command) -> None:
    code, out, err = command("delete", "text@1.0.0", "--reason", "old\x1b[31m", typed="y\n")
    assert (code, "Delete text@1.0.0? [y/N]" in err) == (0, True)
    assert out.startswith(r"text@1.0.0 is deleted (old\x1b[31m); from 20")
    assert out.endswith("go with: groupstream gc\n")
    entry = read_catalog(store, "text").get("1.0.0")
    assert (entry.state, entry.changed_by) == ("deleted", "ann")


def test_delete_takes_no_for_an_answer(three, store, command) -> None:
    code, out, err = command("delete", "text@1.0.0", "--reason", "old", typed="n\n")
    assert (code, out, err.endswith("nothing was deleted\n")) == (1, "", True)
    assert state_of(store, "1.0.0") == "published"


def test_without_a_terminal_nothing_is_deleted_unless_yes_is_said(three, store, command) -> None:
    for arguments in (["delete", "text@1.0.0", "--reason", "old"], ["gc", "--keep-last", "1"]):
        code, _, err = command(*arguments)
        assert (code, "nobody is at a terminal to be asked; say --yes to do it, or --dry-run" in err) == (2, True)
    assert state_of(store, "1.0.0") == "published"
    assert command("delete", "text@1.0.0", "--reason", "old", "--yes")[0] == 0
    assert state_of(store, "1.0.0") == "deleted"


def test_delete_now_frees_the_files(three, store, command) -> None:
    code, out, _ = command("delete", "text@1.0.0", "--reason", "old", "--now", "--yes", "--json")
    told = json.loads(out)
    assert (code, told["ref"], told["freed_bytes"] == told["bytes"] > 0) == (0, "text@1.0.0", True)
    assert version_folder(store, "text", "1.0.0").payload == []


def test_delete_dry_run_writes_nothing(three, store, command) -> None:
    code, out, _ = command("delete", "text@1.0.0", "--reason", "old", "--dry-run")
    assert (code, out.startswith("text@1.0.0 would be deleted (old); from ")) == (0, True)
    assert not version_folder(store, "text", "1.0.0").has_tombstone


def test_delete_by_the_folder_of_a_version(three, store, command) -> None:
    assert command("delete", str(Path(store.root) / "text/1.0.0"), "--reason", "old", "--yes")[0] == 0
    assert state_of(store, "1.0.0") == "deleted"


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("text", "text is a dataset; name the version to delete, such as text@1.0.0"),
        ("text@9.0.0", "text@9.0.0 not found"),
        ("text@1.1.0", "text@1.1.0 has the alias stable; move it first"),
        ("text@stable", "text@1.1.0 has the alias stable; move it first"),
    ],
)
def test_delete_refuses_in_one_line(three, store, command, ref: str, words: str) -> None:
    update_catalog(store, "text", lambda c: set_alias(c, "stable", "1.1.0", LONG_AGO))
    code, out, err = command("delete", ref, "--reason", "old", "--yes")
    assert (code, out, words in err, err.count("\n")) == (2, "", True, 1)


def test_gc_shows_the_plan_and_asks(three, store, command) -> None:
    code, out, err = command("gc", "--keep-last", "1", typed="y\n")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["what", "bytes", "goes", "why"]
    assert lines[1].startswith("version  text@1.0.0")
    assert lines[1].endswith("not among the last 1, and not used for 90 days")
    assert lines[-1] == "freed 0 bytes; the files of 2 versions go with the next gc after the grace"
    assert "1 version kept, 2 items to go" in err
    assert "Delete 2 items" in err
    assert state_of(store, "1.1.0") == "deleted"


def test_gc_frees_what_is_deleted_once_the_grace_is_over(three, store, registry, command) -> None:
    delete_version(store, registry, "text", "1.0.0", "old", now=LONG_AGO)
    code, out, _ = command("gc", "--yes", "--json")
    told = json.loads(out)
    assert code == 0
    assert [(item["what"], item["ref"]) for item in told["items"]] == [("deleted version", "text@1.0.0")]
    assert told["freed_bytes"] == told["items"][0]["bytes"] > 0
    assert [kept["ref"] for kept in told["kept"]] == ["text@1.1.0", "text@1.2.0"]


def test_gc_dry_run_writes_nothing_and_asks_nothing(three, store, command) -> None:
    before = {each.path for each in store.objects("")}
    code, out, _ = command("gc", "text", "--keep-last", "2", "--dry-run", "--json")
    told = json.loads(out)
    assert (code, told["dry_run"], [item["ref"] for item in told["items"]]) == (0, True, ["text@1.0.0"])
    assert {each.path for each in store.objects("")} == before
    assert state_of(store, "1.0.0") == "published"


def test_gc_with_nothing_to_do_asks_nothing(publish, command) -> None:
    publish("text@1.0.0")
    assert command("gc") == (0, "", "1 version kept, 0 items to go, 0 bytes\n")


def test_doctor_says_that_all_is_well(three, store, command) -> None:
    assert command("doctor") == (0, f"{store.root} is as it should be\n", "")


def test_doctor_mends_and_tells(three, store, command) -> None:
    store.delete("text/catalog.json")
    code, out, _ = command("doctor", "--dry-run")
    assert (code, out.startswith("found    catalog_missing       text/catalog.json is not there; make it")) == (1, True)
    code, out, _ = command("doctor", "--json")
    told = json.loads(out)
    assert (code, told["findings"][0]["kind"], told["findings"][0]["mended"]) == (0, "catalog_missing", True)
    assert command("doctor")[0] == 0


def test_doctor_ends_with_1_where_something_remains(three, store, command) -> None:
    store.delete("text/1.0.0/manifest.json")
    code, out, _ = command("doctor")
    assert code == 1
    assert out.startswith("remains  version_lost          text@1.0.0 is in the catalog, and has no manifest")
    assert out.endswith("2 findings: 1 mended, 1 to be done\n")


def test_what_is_wrong_cannot_steer_the_terminal(three, store, command) -> None:
    catalog = json.loads(store.read("text/catalog.json"))
    catalog["aliases"]["\x1b[31mred\n"] = "1.0.0"
    store.replace("text/catalog.json", json.dumps(catalog).encode())
    assert "\x1b" not in "".join(map(str, command("doctor", "--dry-run")))
    store.put_if_absent(".pulls/text/\x1b[31mred.json", b"")
    _, out, _ = command("doctor")
    assert r".pulls/text/\x1b[31mred.json is no record of a pull" in out
