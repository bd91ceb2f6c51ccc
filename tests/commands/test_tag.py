"""`groupstream tag` and `groupstream untag`."""

from __future__ import annotations

import json

import pytest

from groupstream.catalog import read_catalog
from groupstream.stores import LocalStore, open_store
from groupstream.testing import FolderServer
from registry import Registry


def test_a_line_says_what_was_before(command, news):
    assert command("tag", "news@1.2.0", "stable") == (0, "news@stable: none -> 1.2.0\n", "")
    assert command("tag", "news@2.0.0", "stable") == (0, "news@stable: 1.2.0 -> 2.0.0\n", "")
    assert command("tag", "news@2.0.0", "stable") == (0, "news@stable: 2.0.0, as before\n", "")
    assert command("untag", "news", "stable") == (0, "news@stable: 2.0.0 -> none\n", "")
    assert command("untag", "news", "stable") == (0, "news@stable: none, as before\n", "")


def test_an_alias_is_promoted_by_another_one(command, news):
    command("tag", "news@1.2.0", "candidate")
    assert command("tag", "news@candidate", "stable") == (0, "news@stable: none -> 1.2.0\n", "")
    assert command("tag", "news@latest", "candidate") == (0, "news@candidate: 1.2.0 -> 2.0.0\n", "")
    assert command("tag", "news@stable", "latest") == (0, "news@latest: 2.0.0 -> 1.2.0\n", "")
    assert command("tag", "news", "again") == (0, "news@again: none -> 1.2.0\n", "")
    assert command("tag", str(news / "news" / "2.0.0"), "by-path") == (0, "news@by-path: none -> 2.0.0\n", "")


def test_json_says_the_same(command, news):
    fields = {"name": "news", "alias": "stable", "before": None, "after": "1.2.0", "dry_run": False}
    assert json.loads(command("tag", "news@1.2.0", "stable", "--json")[1]) == fields
    fields = {**fields, "before": "1.2.0", "after": None, "dry_run": True}
    assert json.loads(command("untag", "news", "stable", "--json", "--dry-run")[1]) == fields


def test_a_dry_run_writes_nothing(command, news, everything):
    before = everything()
    code, out, err = command("tag", "news@1.2.0", "stable", "--dry-run")
    assert (code, out, err) == (0, "news@stable: none -> 1.2.0 (dry run: nothing was written)\n", "")
    assert everything() == before
    command("tag", "news@1.2.0", "stable")
    before = everything()
    assert command("untag", "news", "stable", "--dry-run")[1].startswith("news@stable: 1.2.0 -> none (dry run")
    assert everything() == before


def test_the_registry_of_a_folder_is_told(command, news):
    command("tag", "news@1.2.0", "stable")
    registry = Registry(f"sqlite:///{news / 'registry.db'}")
    assert registry.aliases(str(news), "news") == {"latest": "2.0.0", "stable": "1.2.0"}
    [move] = [move for move in registry.alias_history(str(news), "news") if move.alias == "stable"]
    assert (move.version, move.by) == ("1.2.0", "tester")
    registry.close()


@pytest.mark.usefixtures("bucket")
def test_in_a_bucket_without_a_registry_the_store_alone_is_changed_and_that_is_said(command, news):
    assert command("publish", "news@1.2.0", "--to", "gs://bucket/datasets")[0] == 0
    code, out, err = command("tag", "news@1.2.0", "stable", "--root", "gs://bucket/datasets")
    assert (code, out) == (0, "news@stable: none -> 1.2.0\n")
    assert err == "note: no registry is told; GROUPSTREAM_REGISTRY_URL names none\n"
    assert read_catalog(open_store("gs://bucket/datasets"), "news").aliases == {"latest": "1.2.0", "stable": "1.2.0"}
    code, out, _ = command("untag", "news", "stable", "--root", "gs://bucket/datasets")
    assert (code, out) == (0, "news@stable: 1.2.0 -> none\n")


@pytest.mark.usefixtures("bucket")
def test_the_registry_of_a_bucket_is_told(command, news, tmp_path, monkeypatch):
    monkeypatch.setenv("GROUPSTREAM_REGISTRY_URL", f"sqlite:///{tmp_path / 'of-bucket.db'}")
    assert command("publish", "news@1.2.0", "--to", "gs://bucket/datasets", "--tag", "candidate")[2] == ""
    assert command("tag", "news@candidate", "stable", "--root", "gs://bucket/datasets")[2] == ""
    registry = Registry(f"sqlite:///{tmp_path / 'of-bucket.db'}")
    aliases = registry.aliases("gs://bucket/datasets", "news")
    registry.close()
    assert aliases == {"latest": "1.2.0", "candidate": "1.2.0", "stable": "1.2.0"}


def test_a_registry_that_cannot_be_reached_changes_nothing(command, news, monkeypatch, tmp_path):
    monkeypatch.setenv("GROUPSTREAM_REGISTRY_URL", f"sqlite:///{tmp_path}")  # a folder
    code, out, err = command("tag", "news@1.2.0", "stable")
    assert (code, out) == (1, "") and err.startswith("error: ") and len(err.splitlines()) == 1
    assert read_catalog(LocalStore(news), "news") is None


HOSTILE = "\x1b[31mx\r\n<b>"
BAD = {
    "no such version": (["tag", "news@9.0.0", "stable"], 2, "newest is 2.0.0"),
    "no such dataset": (["tag", "nevvs@1.0.0", "stable"], 2, "no dataset 'nevvs'"),
    "no alias": (["tag", "news@1.2.0", "Stable"], 2, "'Stable' cannot be an alias"),
    "hostile alias": (["tag", "news@1.2.0", HOSTILE], 2, "cannot be an alias"),
    "hostile ref": (["tag", HOSTILE, "stable"], 2, "error: "),
    "latest": (["untag", "news", "latest"], 2, "there is always a latest"),
    "no dataset to untag": (["untag", "../root/news", "stable"], 2, "has no aliases"),
    "hostile dataset": (["untag", HOSTILE, "stable"], 2, "has no aliases"),
    "a web server": (["tag", "news@1.2.0", "x", "--root", "ftp://x/y"], 2, "there is no store for ftp://"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_is_refused_in_a_line(command, news, case):
    arguments, exit_code, words = BAD[case]
    command("tag", "news@1.2.0", "candidate")
    code, out, err = command(*arguments)
    assert (code, out) == (exit_code, "")
    assert words in err and err.startswith("error: ") and len(err.splitlines()) == 1 and err.rstrip("\n").isprintable()


@pytest.mark.parametrize("arguments", [["tag", "news@1.2.0", "x"], ["untag", "news", "x"]])
def test_a_web_server_is_only_read(command, news, arguments):
    command("tag", "news@1.2.0", "x")
    with FolderServer(news) as server:
        code, out, err = command(*arguments, "--root", server.url)
    assert (code, out) == (2, "") and "is only read" in err and len(err.splitlines()) == 1
