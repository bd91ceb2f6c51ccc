"""ls, info and completion by the catalog, and the line that a deprecated version is worth."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

import groupstream
from groupstream import Manifest, cli
from groupstream.catalog import DatasetCatalog, describe_published, update_catalog
from groupstream.catalog.changes import add_version, set_alias, set_deleted, set_deprecated
from groupstream.stores import LocalStore

NOW = datetime(2026, 11, 28, 20, tzinfo=UTC)
HOSTILE = "half of it\nis missing\x1b[31m"
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def root(golden: Path, tmp_path: Path) -> Path:
    """text: 1.0.0 deprecated, 1.1.0 stable, 1.2.0 deleted, 2.0.0 latest; tags@1.0.0 without a catalog."""
    root = tmp_path / "root"
    shutil.copytree(golden / "tags", root / "tags")
    manifests = []
    for number in ("1.0.0", "1.1.0", "1.2.0", "2.0.0"):
        shutil.copytree(golden / "text" / "1.0.0", root / "text" / number)
        manifest = Manifest.from_json((golden / "text" / "1.0.0" / "manifest.json").read_bytes(), "")
        manifests.append(manifest.model_copy(update={"version": number}))
        (root / "text" / number / "manifest.json").write_bytes(manifests[-1].to_json())

    def change(catalog: DatasetCatalog) -> DatasetCatalog:
        for manifest in manifests:
            catalog = add_version(catalog, describe_published(manifest, manifest.to_json(), NOW, None))
        catalog = set_alias(catalog, "stable", "1.1.0", NOW)
        return set_deprecated(set_deleted(catalog, "1.2.0", "a licence", NOW), "1.0.0", HOSTILE, NOW, "ann")

    update_catalog(LocalStore(root), "text", change)
    return root


@pytest.fixture
def call(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs a command; exit code, standard output, standard error."""
    monkeypatch.setenv("GROUPSTREAM_ROOT", str(root))
    monkeypatch.setenv("COLUMNS", "150")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["groupstream", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_ls_shows_aliases_and_states(call: Call) -> None:
    code, out, err = call("ls")
    assert (code, err) == (0, "")
    assert lines(out)[2:] == [
        r"text@1.0.0 2026-11-28 8 40 6.5 kB 186 deprecated: half of it\nis missing\x1b[31m",
        "text@1.1.0 stable 2026-11-28 8 40 6.5 kB 186",
        "text@2.0.0 latest 2026-11-28 8 40 6.5 kB 186",
    ]
    assert lines(out)[0] == "version aliases published groups examples bytes words state"
    assert lines(call("ls", "text", "--all")[1])[3] == "text@1.2.0 2026-11-28 8 40 6.5 kB 186 deleted: a licence"


def test_ls_gives_all_of_it_as_json(call: Call) -> None:
    rows = json.loads(call("ls", "text", "--all", "--json")[1])
    assert [(row["ref"], row["aliases"], row["state"], row["message"]) for row in rows] == [
        ("text@1.0.0", [], "deprecated", HOSTILE),
        ("text@1.1.0", ["stable"], "published", ""),
        ("text@1.2.0", [], "deleted", "a licence"),
        ("text@2.0.0", ["latest"], "published", ""),
    ]
    assert [row["ref"] for row in json.loads(call("ls", "text", "--json")[1])] == [
        "text@1.0.0", "text@1.1.0", "text@2.0.0",
    ]  # fmt: skip


def test_ls_reads_no_manifest_that_the_catalog_spares(call: Call, root: Path) -> None:
    for manifest in (root / "text").glob("*/manifest.json"):
        manifest.write_bytes(b"not read")
    assert call("ls", "text")[0] == 0


def test_ls_says_what_is_gone_or_broken_and_shows_the_rest(call: Call, root: Path) -> None:
    shutil.rmtree(root / "text" / "1.1.0")
    code, out, err = call("ls")
    assert (code, len(lines(out))) == (1, 4)
    assert err.startswith(f"error: {root}/text/1.1.0 is gone, though the catalog has the version. Mend it with: ")
    (root / "text" / "catalog.json").write_bytes(b"{}")
    code, out, err = call("ls", "text")
    assert [line.split()[0] for line in lines(out)[1:]] == ["text@1.0.0", "text@1.2.0", "text@2.0.0"]
    assert (code, err.count("\n")) == (1, 1)
    assert "text/catalog.json is not a catalog" in err


def test_ls_of_what_is_deleted_or_empty_says_so(call: Call, root: Path) -> None:
    def change(catalog: DatasetCatalog) -> DatasetCatalog:
        content = (root / "tags" / "1.0.0" / "manifest.json").read_bytes()
        catalog = add_version(catalog, describe_published(Manifest.from_json(content, ""), content, NOW, None))
        return set_deleted(catalog, "1.0.0", "old", NOW)

    update_catalog(LocalStore(root), "tags", change)
    assert call("ls", "tags") == (0, "", "all versions are deleted; see them with: groupstream ls --all\n")
    (root / "empty").mkdir()
    (root / "empty" / "x").write_bytes(b"")
    code, out, err = call("ls", "empty")
    assert (code, out) == (2, "")
    assert err.startswith("error: nothing is published of empty in ")


def test_a_deprecated_version_is_one_line_on_stderr(call: Call) -> None:
    warning = "warning: text@1.0.0 is deprecated: half of it\\nis missing\\x1b[31m; newest is 2.0.0\n"
    for arguments in (["info"], ["head"], ["verify"], ["info", "--json"], ["diff", "text@1.0.0"]):
        code, out, err = call(*arguments, "text@1.0.0")
        assert (code, err) == (0, warning), arguments
        assert "warning" not in out
        assert "\x1b" not in out
    json.loads(call("info", "text@1.0.0", "--json")[1])
    assert call("info", "text@stable")[2] == ""


def test_info_shows_what_may_change_about_a_version(call: Call) -> None:
    shown = lines(call("info", "text@1.0.0")[1])
    assert shown[:3] == ["version text@1.0.0", "aliases none", r"state deprecated: half of it\nis missing\x1b[31m"]
    assert lines(call("info", "text")[1])[1] == "aliases latest"
    assert lines(call("info", "tags")[1])[1].startswith("what")
    known = json.loads(call("info", "text@1.0.0", "--json")[1])["catalog"]
    assert (known["state"], known["message"], known["aliases"]) == ("deprecated", HOSTILE, [])
    assert (known["changed_at"], known["changed_by"]) == ("2026-11-28T20:00:00Z", "ann")
    assert "catalog" not in json.loads(call("info", "tags", "--json")[1])


def test_info_counts_groups_that_are_not_as_they_were_made(call: Call, root: Path) -> None:
    path = root / "tags" / "1.0.0" / "manifest.json"
    manifest = Manifest.from_json(path.read_bytes(), "")
    counts = manifest.counts.model_copy(update={"regrouped": {"merged": 1200, "split": 3}})
    path.write_bytes(manifest.model_copy(update={"counts": counts}).to_json())
    assert "regrouped 1,200 merged, 3 split" in lines(call("info", "tags")[1])


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("text@", ["text@latest", "text@stable", "text@2.0.0", "text@1.1.0", "text@1.0.0"]),
        ("text@s", ["text@stable"]),
        ("ta", ["tags", "tags@latest", "tags@1.0.0"]),
    ],
)
def test_completion_offers_aliases(call: Call, monkeypatch: pytest.MonkeyPatch, typed: str, offered: list[str]) -> None:
    monkeypatch.setenv("_GROUPSTREAM_COMPLETE", "complete_fish")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", f"groupstream info {typed}")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    assert call()[1:] == ("".join(f"{each}\n" for each in offered), "")


def test_python_shows_the_warning_once_a_line(root: Path) -> None:
    with pytest.warns(groupstream.DeprecatedVersionWarning) as told:
        groupstream.open("text@1.0.0", root)
    [warning] = told
    assert Path(warning.filename).samefile(__file__)
    assert "\n" not in str(warning.message)
