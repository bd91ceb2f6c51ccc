from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from groupstream import ConflictError, CorruptError, PublishError
from groupstream.commit import (
    checksums,
    claim_version,
    claimed_by,
    commit_version,
    describe_file,
    read_claim,
)
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
    assert seen == ["b.txt", "a/c.txt"] or seen == ["a/c.txt", "b.txt"]
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


def test_another_manifest_is_a_conflict_that_names_the_run_which_won(store: LocalStore) -> None:
    claim_version(store, FOLDER, "0" * 64, {"run": "quick-lynx", "created_at": "2026-11-28T20:00:00Z"})
    commit_version(store, FOLDER, version_of({}), {})
    words = r"made@1.0.0 was published meanwhile .*, by run quick-lynx since 2026-11-28T20:00:00Z; set publish.version"
    with pytest.raises(ConflictError, match=words):
        commit_version(store, FOLDER, version_of({}, seed=1), {})
    assert Manifest.from_json(store.read(f"{FOLDER}/manifest.json"), "").seed == 0


def test_a_manifest_of_the_same_meaning_in_other_bytes_is_a_conflict(store: LocalStore) -> None:
    manifest = version_of({"x": b"1"})
    store.put_if_absent(f"{FOLDER}/manifest.json", manifest.to_json() + b"\n")
    with pytest.raises(ConflictError, match="published meanwhile"):
        commit_version(store, FOLDER, manifest, {"x": b"1"})


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        ({"run": "a", "created_at": "b"}, "run a since b"),
        ({"run": "a"}, "run a"),
        ({"created_at": "b"}, "another build since b"),
        ({"run": 7, "created_at": ["b"]}, "another build"),
        ({"run": "a\n\x1b[31m" + "x" * 200}, "run a[31m" + "x" * 95),
        ({}, "another build"),
    ],
)
def test_who_claimed_a_version_is_told_in_one_line(store: LocalStore, claim: dict[str, Any], words: str) -> None:
    assert claimed_by(store, FOLDER) == "another build"
    claim_version(store, FOLDER, "a", claim)
    assert claimed_by(store, FOLDER) == words


def test_a_claim_that_cannot_be_read_is_of_another_build(store: LocalStore) -> None:
    store.put_if_absent(f"{FOLDER}/claim.json", b"\xff")
    assert claimed_by(store, FOLDER) == "another build"


@pytest.mark.parametrize("source", ["file", "bytes"])
def test_a_file_that_was_changed_since_it_was_described_is_refused(
    store: LocalStore, tmp_path: Path, source: str
) -> None:
    manifest, changed = version_of({"x": b"content", "y": b"1"}), b"contenT"
    (tmp_path / "source").write_bytes(changed)
    given = tmp_path / "source" if source == "file" else changed
    with pytest.raises(PublishError, match=rf"cannot write .*/{FOLDER}/x: the bytes have crc32c .*make it again$"):
        commit_version(store, FOLDER, manifest, {"x": given, "y": b"1"})
    assert not (tmp_path / FOLDER / "x").exists()
    assert published_versions(store, "made") == []
    assert list((tmp_path / ".staging").iterdir()) == []
    commit_version(store, FOLDER, manifest, {"x": b"content", "y": b"1"})
    assert published_versions(store, "made") == ["1.0.0"]


def test_files_are_written_several_at_once_and_after_a_failure_no_other_is_begun(store: LocalStore) -> None:
    contents = {f"{number}": bytes(number) for number in range(40)}
    met, begun = threading.Barrier(8, timeout=20), []

    class Meeting(LocalStore):
        def put_if_absent(self, path: str, source: bytes | Path, crc32c: str | None = None) -> bool:
            begun.append(path)
            if len(begun) <= 8:
                met.wait()
            else:
                time.sleep(1)  # long enough for the first to have failed
            raise PublishError(f"no room for {path}")

    with pytest.raises(PublishError, match="no room for made"):
        commit_version(Meeting(store.root), FOLDER, version_of(contents), contents, uploads=8)
    assert 8 <= len(begun) < 40 - 8
    assert begun[0] == f"{FOLDER}/39"  # the largest


def test_a_file_and_its_bytes_are_described_alike(tmp_path: Path) -> None:
    content = b"123456789"
    (tmp_path / "x").write_bytes(content)
    described = describe_file("x", content)
    assert described == describe_file("x", tmp_path / "x")
    assert described.crc32c == "e3069283"  # the check value of CRC-32C, RFC 3720
    assert described.sha256 == "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"
    assert checksums([b"1234", b"", b"56789"]) == described.model_dump(exclude={"path"})
