from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from groupstream import ConflictError, CorruptError
from groupstream.commit import checksums, claim_version, commit_version, describe_file, read_claim
from groupstream.manifest import Counts, Manifest
from groupstream.refs import published_versions
from groupstream.stores import LocalStore

FOLDER = "made/1.0.0"


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def version_of(contents: dict[str, bytes], **fields: Any) -> Manifest:
    files = tuple(describe_file(path, content) for path, content in contents.items())
    counts = Counts(examples_in=0, examples_out=0)
    required = {"digest": "0" * 64, "spec": {}, "source": {}, "code": {}, "seed": 0, "features": {}, "splits": {}}
    return Manifest(
        name="made", version="1.0.0", group_feature="group_id", counts=counts, files=files, **{**required, **fields}
    )


def test_one_build_gets_the_claim_and_the_other_is_told(store: LocalStore) -> None:
    assert claim_version(store, FOLDER, "a", {"run": "first"})
    assert not claim_version(store, FOLDER, "b", {"run": "second"})
    assert read_claim(store, FOLDER) == {"digest": "a", "run": "first"}


def test_the_same_build_goes_on_with_its_claim(store: LocalStore) -> None:
    assert claim_version(store, FOLDER, "a", {"run": "died"})
    assert claim_version(store, FOLDER, "a", {"run": "goes on"})
    assert read_claim(store, FOLDER)["run"] == "died"


def test_no_claim_is_an_empty_one(store: LocalStore) -> None:
    assert read_claim(store, FOLDER) == {}


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff", b"3"])
def test_a_claim_that_cannot_be_read_is_corrupt(store: LocalStore, content: bytes) -> None:
    store.put_if_absent(f"{FOLDER}/claim.json", content)
    with pytest.raises(CorruptError, match="is not a claim"):
        claim_version(store, FOLDER, "a", {})


def test_a_version_is_there_once_its_manifest_is(store: LocalStore, tmp_path: Path) -> None:
    contents = {"b.txt": b"2", "a/c.txt": b"33"}
    manifest, seen = version_of(contents), []

    def on_file(file: Any) -> None:
        seen.append(file.path)
        assert published_versions(store, "made") == []

    commit_version(store, FOLDER, manifest, contents, on_file)
    assert seen == ["b.txt", "a/c.txt"]
    assert published_versions(store, "made") == ["1.0.0"]
    assert {p: (tmp_path / FOLDER / p).read_bytes() for p in contents} == contents
    assert Manifest.from_json(store.read(f"{FOLDER}/manifest.json"), "") == manifest


def test_a_commit_can_be_repeated(store: LocalStore) -> None:
    contents = {"x": b"content"}
    for _ in range(2):
        commit_version(store, FOLDER, version_of(contents), contents)


def test_a_commit_goes_on_where_one_died(store: LocalStore) -> None:
    contents = {"x": b"content", "y": b"more"}
    store.put_if_absent(f"{FOLDER}/x", b"content")
    commit_version(store, FOLDER, version_of(contents), contents)
    assert store.read(f"{FOLDER}/y") == b"more"


@pytest.mark.parametrize("left", [b"", b"contenT", b"content, and more"])
def test_a_file_with_other_bytes_is_a_conflict(store: LocalStore, left: bytes) -> None:
    store.put_if_absent(f"{FOLDER}/x", left)
    with pytest.raises(ConflictError, match=rf"{FOLDER}/x exists with other bytes \({len(left)}, not 7\).*publish"):
        commit_version(store, FOLDER, version_of({"x": b"content"}), {"x": b"content"})
    assert published_versions(store, "made") == []


def test_another_manifest_is_a_conflict(store: LocalStore) -> None:
    commit_version(store, FOLDER, version_of({}), {})
    with pytest.raises(ConflictError, match=r"made@1.0.0 was published by another build meanwhile"):
        commit_version(store, FOLDER, version_of({}, seed=1), {})
    assert Manifest.from_json(store.read(f"{FOLDER}/manifest.json"), "").seed == 0


def test_a_file_and_its_bytes_are_described_alike(tmp_path: Path) -> None:
    content = b"123456789"
    (tmp_path / "x").write_bytes(content)
    described = describe_file("x", content)
    assert described == describe_file("x", tmp_path / "x")
    assert described.crc32c == "e3069283"  # the check value of CRC-32C, RFC 3720
    assert described.sha256 == "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"
    assert checksums([b"1234", b"", b"56789"]) == described.model_dump(exclude={"path"})
