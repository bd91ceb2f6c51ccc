"""`groupstream publish`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import groupstream
from groupstream.catalog import read_catalog
from groupstream.stores import LocalStore, open_store
from groupstream.testing import FolderServer
from registry import Registry


def test_a_version_is_copied_tagged_and_told_of(command, news, tmp_path):
    target = tmp_path / "target"
    code, out, err = command("publish", "news@1.2.0", "--to", str(target), "--tag", "stable", "--tag", "candidate")
    assert (code, err) == (0, "")
    first, *moves, last = out.splitlines()
    assert first == f"news@1.2.0 is published in {target}/news/1.2.0: 11 of 11 files, 85.6 kB came now and were checked"
    assert sorted(moves) == [f"news@{alias}: none -> 1.2.0" for alias in ("candidate", "latest", "stable")]
    assert last == f"Look at it with: groupstream info {target}/news/1.2.0"
    assert groupstream.open("news@stable", target)["train"].num_groups == 8
    registry = Registry(f"sqlite:///{target / 'registry.db'}")
    assert registry.aliases(str(target), "news") == {"candidate": "1.2.0", "latest": "1.2.0", "stable": "1.2.0"}
    registry.close()
    assert "news" in (target / "catalog.html").read_text()


def test_again_it_says_that_it_is_there_and_leads_aliases_to_it(command, news, tmp_path):
    target = tmp_path / "target"
    for ref in ("news@1.2.0", "news@2.0.0"):
        command("publish", ref, "--to", str(target))
    code, out, err = command("publish", "news@1.2.0", "--to", str(target), "--tag", "latest")
    assert (code, err) == (0, "")
    assert "is in" in out and "already, with the same manifest: nothing to copy" in out
    assert "news@latest: 2.0.0 -> 1.2.0" in out.splitlines()


def test_what_lies_there_already_is_announced(command, news):
    """After a crash between the manifest and the catalog."""
    code, out, _ = command("publish", "news@2.0.0", "--tag", "stable")
    assert code == 0 and "already" in out and "news@stable: none -> 2.0.0" in out
    known = read_catalog(LocalStore(news), "news").get("2.0.0")
    assert known.run == "run-2.0.0"


@pytest.mark.usefixtures("bucket")
def test_to_a_bucket_and_back(command, news, tmp_path):
    code, out, err = command("publish", "news@1.2.0", "--to", "gs://bucket/datasets")
    assert code == 0 and err.startswith("note: no registry is told")
    assert out.splitlines()[-1] == "Look at it with: groupstream info gs://bucket/datasets/news/1.2.0"
    assert command("publish", "news@1.2.0", "--root", "gs://bucket/datasets", "--to", str(tmp_path / "back"))[0] == 0
    manifest = Path("news/1.2.0/manifest.json")
    assert (tmp_path / "back" / manifest).read_bytes() == (news / manifest).read_bytes()
    assert open_store("gs://bucket/datasets").read(str(manifest)) == (news / manifest).read_bytes()


@pytest.mark.parametrize("target", ["folder", "gs://bucket/datasets"])
@pytest.mark.parametrize("as_json", [False, True])
def test_a_dry_run_writes_nothing(command, news, tmp_path, everything, target, as_json):
    to = str(tmp_path / "target") if target == "folder" else target
    before = everything()
    json_too = ["--json"] if as_json else []
    code, out, err = command("publish", "news@1.2.0", "--to", to, "--tag", "stable", "--dry-run", *json_too)
    assert (code, err) == (0, "")
    if as_json:
        assert json.loads(out) == {
            "ref": "news@1.2.0",
            "location": f"{to}/news/1.2.0",
            "was_there": False,
            "aliases": ["latest", "stable"],
            "moved": [{"alias": "latest", "before": None}, {"alias": "stable", "before": None}],
            "copied_bytes": 85631,
            "dry_run": True,
        }
    else:
        assert out.splitlines() == [
            f"news@1.2.0 would be published in {to}/news/1.2.0: 11 of 11 files, 85.6 kB",
            "news@latest: none -> 1.2.0",
            "news@stable: none -> 1.2.0",
            "dry run: nothing was written",
        ]
    assert everything() == before


def test_ctrl_c_says_that_the_same_command_goes_on(command, news, tmp_path, monkeypatch):
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("lifecycle.bringing.Bringing.run", interrupted)
        code, out, err = command("publish", "news@1.2.0", "--to", str(tmp_path / "target"))
    assert (code, out) == (130, "")
    assert "interrupted: nobody sees the version yet, and the same command goes on" in err
    assert command("publish", "news@1.2.0", "--to", str(tmp_path / "target"))[0] == 0


def damage(news: Path) -> None:
    with open(news / "news/1.2.0/train-00000-of-00003.tfrecord", "r+b") as file:
        file.write(b"damage")


def publish_another(news: Path) -> None:
    """Another news@2.0.0 in the folder that the test publishes to."""
    folder = news.parent / "target/news/2.0.0"
    folder.mkdir(parents=True)
    manifest = groupstream.open(news / "news/2.0.0").manifest.model_copy(update={"description": "another"})
    (folder / "manifest.json").write_bytes(manifest.to_json())


BAD = {
    "no such version": (lambda news: None, ["news@9.0.0"], 2, "newest is 2.0.0"),
    "an alias that cannot be": (lambda news: None, ["news@1.2.0", "--tag", "A"], 2, "'A' cannot be an alias"),
    "damaged": (damage, ["news@1.2.0"], 1, "train-00000-of-00003.tfrecord"),
    "another": (publish_another, ["news@2.0.0"], 1, "is in"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_is_refused_in_a_line(command, news, tmp_path, case):
    prepare, arguments, exit_code, words = BAD[case]
    prepare(news)
    code, out, err = command("publish", "--to", str(tmp_path / "target"), *arguments)
    assert (code, out) == (exit_code, "") and words in err and len(err.splitlines()) == 1
    assert read_catalog(LocalStore(tmp_path / "target"), "news") is None


def test_a_web_server_is_only_read(command, news, tmp_path):
    (tmp_path / "served").mkdir()
    with FolderServer(tmp_path / "served") as server:
        code, out, err = command("publish", "news@1.2.0", "--to", server.url)
    assert (code, out) == (2, "") and "is only read" in err and len(err.splitlines()) == 1
    assert not list((tmp_path / "served").iterdir())
