from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import groupstream
from groupstream import RefNotFoundError, UsageError
from groupstream.layout import is_name, is_version, version_key
from groupstream.refs import published_versions, resolve
from groupstream.stores import LocalStore


@pytest.fixture
def root(golden: Path, tmp_path: Path) -> Path:
    """The dataset text in the versions 1.9.0, 1.10.0 and, without a manifest, 2.0.0."""
    root = tmp_path / "root"
    for version in ("1.9.0", "1.10.0", "2.0.0"):
        shutil.copytree(golden / "text" / "1.0.0", root / "text" / version)
    (root / "text" / "2.0.0" / "manifest.json").unlink()
    (root / "text" / "notes").mkdir()
    return root


@pytest.mark.parametrize("ref", ["text", "text@latest", "text@1.10.0"])
def test_a_ref_names_a_version(root: Path, ref: str) -> None:
    assert str(resolve(ref, str(root))) == f"{root}/text/1.10.0"


def test_versions_ascend_by_number_not_by_text(root: Path) -> None:
    assert published_versions(LocalStore(root), "text") == ["1.9.0", "1.10.0"]


def test_the_root_is_that_of_the_environment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUPSTREAM_ROOT", str(root))
    assert str(resolve("text@1.9.0")) == f"{root}/text/1.9.0"
    monkeypatch.delenv("GROUPSTREAM_ROOT")
    monkeypatch.setenv("HOME", str(root.parent))
    root.rename(root.parent / "groupstream")
    assert str(resolve("text@1.9.0")) == f"{root.parent}/groupstream/text/1.9.0"


def test_a_path_names_a_version(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = root / "text" / "1.9.0"
    assert str(resolve(folder)) == str(resolve(f"{folder}/")) == str(folder)
    monkeypatch.chdir(folder.parent)
    assert str(resolve("./1.9.0")) == str(folder)
    monkeypatch.chdir(folder)
    assert str(resolve(".")) == str(folder)
    assert len(groupstream.open(folder)["train"]) == 8


VERSIONS = "List the versions with: groupstream ls text --root {root}"


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("nothing", "no dataset 'nothing' in {root}. List what is there with: groupstream ls --root {root}"),
        ("nothing@1.0.0", "no dataset 'nothing' in {root}. List what is there with: groupstream ls --root {root}"),
        ("text@9.0.0", "text@9.0.0 not found; newest is 1.10.0. " + VERSIONS),
        ("text@2.0.0", "text@2.0.0 not found; newest is 1.10.0. " + VERSIONS),
        ("text@new", "text@new not found; newest is 1.10.0. " + VERSIONS),
        ("./text", "./text: no such folder. List what is published with: groupstream ls"),
        ("", "no version was named. List what is published with: groupstream ls"),
        (
            "Text@1.9.0",
            "Text@1.9.0: no such folder, and no name, which is made of a-z, 0-9, - and _. "
            "List what is published with: groupstream ls",
        ),
        (
            "{root}/text/2.0.0",
            "{root}/text/2.0.0: not a published version: it has no manifest.json. "
            "List what is published with: groupstream ls",
        ),
    ],
)
def test_a_ref_to_nothing_says_what_there_is(root: Path, ref: str, message: str) -> None:
    with pytest.raises(RefNotFoundError) as caught:
        resolve(ref.format(root=root), str(root))
    assert str(caught.value) == message.format(root=root)


@pytest.mark.parametrize("name", ["a", "fedc4", "0-9_x", "a" * 100])
def test_a_name_is_a_safe_folder(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize("name", ["", "A", "a/b", "..", ".a", "-a", "_a", "a\n", "ä", "a" * 101])
def test_what_is_no_name(name: str) -> None:
    assert not is_name(name)


@pytest.mark.parametrize(
    "version", ["", "1", "1.0", "1.0.0.0", "01.0.0", "1.0.0 ", "1.0.-1", "v1.0.0", "1.0.٣", "1٣.0.0"]
)
def test_what_is_no_version(version: str) -> None:
    assert not is_version(version)
    with pytest.raises(UsageError, match=r"write three numbers, such as 1\.0\.0"):
        version_key(version)


def test_a_version_sorts_by_its_numbers() -> None:
    assert version_key("10.20.30") == (10, 20, 30)
    assert is_version("0.0.0")
