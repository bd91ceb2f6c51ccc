"""What somebody else wrote into a store neither leaves its folder, nor steers a terminal, nor breaks JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import groupstream
from groupstream import CorruptError, Feature, GroupstreamError
from groupstream.catalog import DatasetCatalog
from groupstream.commands.printing import one_line, visible
from groupstream.manifest import Manifest, canonical_json
from groupstream.stores import LocalStore

HOSTILE = {
    "up": "../../etc/passwd",
    "slash": "a/b",
    "root": "/etc/passwd",
    "backslash": "..\\..\\x",
    "nul": "a\0b",
    "newline": "a\nb: c",
    "return": "a\rerror: done",
    "colour": "\x1b[31mred",
    "title": "\x1b]0;owned\x07",
    "csi": "\x9b31m",
    "bidi": "abc\u202efdp.exe",
    "html": "<script>alert(1)</script>",
    "formula": "=cmd|' /C calc'!A0",
    "sql": "'); DROP TABLE datasets; --",
    "long": "x" * 10_000,
    "option": "-rf",
    "device": "CON\t",
    "markup": "[red]x[/red]",
    "empty": "",
    "dots": "..",
    "hidden": ".staging",
    "line": "a\u2028b\x85c",
}
BYTES = {**{name: text.encode() for name, text in HOSTILE.items() if text}, "not utf-8": b"\xff\xfe\x00"}
STEERING = set("\x00\x07\x1b\r\x85\x9b\u2028\u202e")

every_name = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())


def resigned(fields: dict[str, Any]) -> bytes:
    """As somebody writes a manifest who knows how its checksum is made."""
    del fields["checksum"]
    return canonical_json({**fields, "checksum": hashlib.sha256(canonical_json(fields)).hexdigest()})


@pytest.fixture
def forged(golden_copy: Path) -> Callable[[Callable[[dict[str, Any]], object]], Path]:
    """Changes the manifest of a golden version; gives the root."""

    def change(how: Callable[[dict[str, Any]], object]) -> Path:
        path = golden_copy / "text" / "1.0.0" / "manifest.json"
        fields = json.loads(path.read_bytes())
        how(fields)
        path.write_bytes(resigned(fields))
        return golden_copy

    return change


def moved(names: dict[str, Any], new: str) -> None:
    names[new] = names.pop(next(iter(names)))


CHANGES: dict[str, Callable[[dict[str, Any], str], object]] = {
    "name": lambda fields, text: fields.update(name=text),
    "version": lambda fields, text: fields.update(version=text),
    "split": lambda fields, text: moved(fields["splits"], text),
    "shard": lambda fields, text: fields["splits"]["train"]["shards"][0].update(path=text),
    "index": lambda fields, text: fields["splits"]["train"]["group_table"].update(path=text),
    "file": lambda fields, text: fields["files"][0].update(path=text),
}
FOR_FILES = {
    "up",
    "root",
    "backslash",
    "nul",
    "newline",
    "return",
    "colour",
    "title",
    "csi",
    "bidi",
}  # others lie inside


@pytest.mark.parametrize("what", CHANGES)
def test_a_manifest_names_nothing_outside_of_its_folder(forged, cache: Path, tmp_path: Path, what: str) -> None:
    outside = sorted(path for path in tmp_path.rglob("*") if "golden" not in path.parts)
    is_path = what in ("shard", "index", "file")
    for case in FOR_FILES if is_path else HOSTILE:
        root = forged(lambda fields, case=case: CHANGES[what](fields, HOSTILE[case]))
        with pytest.raises(CorruptError, match="is not a manifest of format 1") as error:
            groupstream.pull("text@1.0.0", root, to=tmp_path / "pulled")
        assert not STEERING & set(visible(str(error.value))) and len(str(error.value)) < 500, case
        (root / "text" / "1.0.0" / "manifest.json").write_bytes(
            (Path(__file__).parents[2] / "tests/golden/v1/text/1.0.0/manifest.json").read_bytes()
        )
    assert sorted(path for path in tmp_path.rglob("*") if "golden" not in path.parts) == outside


@pytest.mark.parametrize("path", ["manifest.json", "claim.json", "tombstone.json"])
def test_a_manifest_does_not_replace_what_commits_a_version(forged, tmp_path: Path, path: str) -> None:
    root = forged(lambda fields: CHANGES["file"](fields, path))
    with pytest.raises(CorruptError, match="no file that a manifest describes"):
        groupstream.pull("text@1.0.0", root, to=tmp_path / "pulled")


ENTRY = {"digest": "0" * 64, "manifest_sha256": "0" * 64, "published_at": "2026-01-01T00:00:00Z"}


@every_name
def test_a_catalog_leads_nowhere_else(text: str) -> None:
    good: dict[str, Any] = {"name": "text", "versions": [{"version": "1.0.0", **ENTRY}], "aliases": {"latest": "1.0.0"}}
    assert DatasetCatalog.from_json(canonical_json(good), "here").aliases == {"latest": "1.0.0"}
    for wrong in (
        {"name": text},
        {"versions": [{"version": text, **ENTRY}]},
        {"aliases": {"latest": text}},
        {"aliases": {"latest": f"../other/{text}"}},
        {"aliases": {text: "1.0.0"}},
    ):
        with pytest.raises(CorruptError) as error:
            DatasetCatalog.from_json(canonical_json({**good, **wrong}), "here")
        assert len(str(error.value)) < 500


@every_name
def test_a_ref_names_nothing_outside_of_the_root(golden: Path, text: str) -> None:
    for ref in {text, f"{text}@1.0.0", f"text@{text}", f"text@../{text}"} - {"text@"}:  # which is text@latest
        with pytest.raises((GroupstreamError, ValueError)) as error:
            groupstream.open(ref, golden)
        assert isinstance(error.value, GroupstreamError) or "\0" in text


@every_name
def test_what_is_shown_steers_no_terminal(text: str) -> None:
    assert not STEERING & set(visible(text))
    assert "\n" not in one_line(text)


FEATURES = {"text": Feature(dtype="string"), "=1+1<b>": Feature(dtype="int64")}
COMMANDS = [
    ["ls"],
    ["info", "made"],
    ["head", "made", "--groups", "30", "--examples", "2"],
    ["groups", "made", "--limit", "30"],
    ["stats", "made"],
    ["checks", "made"],
    ["verify", "made"],
]


@pytest.fixture
def hostile_root(make_version) -> Path:
    """made@1.0.0, whose groups, features, texts, labels and description are hostile."""
    ids = list(BYTES.values())
    examples = [{"text": each.decode(errors="replace"), "=1+1<b>": n} for n, each in enumerate(ids)]
    everything = " ".join(HOSTILE.values())
    return make_version(examples, ids, FEATURES, description=everything, source={everything: everything})


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_command_prints_hostile_names_as_text(shown, hostile_root: Path, monkeypatch, command: list[str]) -> None:
    monkeypatch.setenv("GROUPSTREAM_ROOT", str(hostile_root))
    text = shown(*command)
    assert text and not STEERING & set(text)
    printed = shown(*command, "--json")
    assert printed.isascii()
    for line in [printed] if printed.startswith(("[\n", "{\n")) else printed.splitlines():
        json.loads(line)


@pytest.mark.parametrize("group_id", BYTES.values(), ids=BYTES.keys())
def test_a_hostile_group_is_found_by_its_id(hostile_root: Path, group_id: bytes) -> None:
    [group] = [each for each in groupstream.open("made", hostile_root)["train"] if each.id == group_id]
    assert group.num_examples == 1
    assert groupstream.open("made", hostile_root)["train"].group(group_id).id == group_id


def test_files_are_not_named_by_groups(hostile_root: Path, tmp_path: Path) -> None:
    """Exports and pulls of some groups name files by splits, numbers and hashes."""
    before = set(tmp_path.rglob("*"))
    pulled = groupstream.pull("made", hostile_root, group_ids=[BYTES["up"], BYTES["nul"]], to=tmp_path / "some")
    assert {group.id for group in pulled["train"]} == {BYTES["up"], BYTES["nul"]}
    new = {path.relative_to(tmp_path) for path in set(tmp_path.rglob("*")) - before}
    assert all(path.parts[0] in ("some", ".staging") for path in new)
    assert not any("passwd" in str(path) for path in new)


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd", "..", "a/.."])
def test_a_store_of_a_folder_stays_in_it(tmp_path: Path, path: str) -> None:
    (tmp_path / "x").write_bytes(b"outside")
    (tmp_path / "root" / "a").mkdir(parents=True)
    store = LocalStore(tmp_path / "root")
    for act in (
        lambda: store.read(path),
        lambda: store.stat(path),
        lambda: store.size_bytes(path),
        lambda: list(store.objects(path)),
        lambda: store.put_if_absent(f"{path}/new", b"1"),
        lambda: store.replace(f"{path}/new", b"1"),
        lambda: store.delete(path),
    ):
        with pytest.raises(GroupstreamError):
            act()
    assert (tmp_path / "x").read_bytes() == b"outside"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["root", "x"]


def test_manifests_that_were_written_are_read(golden: Path) -> None:
    for path in golden.rglob("manifest.json"):
        assert Manifest.from_json(path.read_bytes(), str(path)).name
