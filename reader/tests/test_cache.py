"""Where the cache is, and versions that are read from their copies in it."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest

import groupstream
from groupstream import ConflictError
from groupstream.cache import CachedStore, cache_folder, copy_folder, mirror_root, through_cache
from groupstream.dataset import Dataset
from groupstream.manifest import Manifest
from groupstream.pulling.version import plan_pull, read_manifest
from groupstream.refs import Location
from groupstream.stores import LocalStore
from groupstream.testing import ReadLog, WrappedStore


@pytest.fixture
def log(tmp_path: Path) -> ReadLog:
    return ReadLog(tmp_path / "log")


@pytest.fixture
def remote(two_splits: Path, log: ReadLog, cache: Path) -> Location:
    """wide@1.0.0 in a store that is no local folder."""
    return Location(WrappedStore(LocalStore(two_splits), log.note), "wide/1.0.0")


def opened(location: Location) -> Dataset:
    return Dataset(location, read_manifest(location)[1])


def test_the_cache_is_where_people_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GROUPSTREAM_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == tmp_path / "home" / ".cache" / "groupstream"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "groupstream"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert cache_folder() == tmp_path / "home" / ".cache" / "groupstream"
    monkeypatch.setenv("GROUPSTREAM_CACHE", "~/own")
    assert cache_folder() == tmp_path / "home" / "own"


def test_each_root_has_a_mirror_of_its_own(cache: Path) -> None:
    roots = [
        "gs://bucket/datasets",
        "gs://bucket-datasets",
        "s3://bucket/datasets",
        "/data/sets",
        "https://host/a/b",
        "/",
    ]
    mirrors = [mirror_root(root) for root in roots]
    assert len(set(mirrors)) == len(roots)
    assert {mirror.parent for mirror in mirrors} == {cache / "roots"}
    assert mirrors[0].name.startswith("gs-bucket-datasets-")
    assert mirror_root("gs://bucket/datasets/") == mirrors[0]
    assert len(mirror_root("gs://bucket/" + "long/" * 200).name) < 80


def test_secrets_of_an_address_stay_out_of_the_cache(cache: Path) -> None:
    assert mirror_root("https://me:secret@host/a?signature=1") == mirror_root("https://host/a")
    for root in ("https://me:secret@host/a", "https://me:s@secret@host/a"):
        assert mirror_root(root) == mirror_root("https://host/a")
        assert "secret" not in mirror_root(root).name


@pytest.mark.parametrize(
    ("root", "folder", "expected"),
    [
        ("gs://b/sets", "text/1.0.0", ("gs://b/sets", "text/1.0.0")),
        ("gs://b/sets/text", "1.0.0", ("gs://b/sets", "text/1.0.0")),
        ("gs://b/sets", "moved", None),
        ("gs://b/sets", "text/newest", None),
    ],
)
def test_a_version_has_one_place_however_it_is_named(
    cache: Path, tmp_path: Path, root: str, folder: str, expected: tuple[str, str] | None
) -> None:
    class Elsewhere(WrappedStore):
        @property
        def root(self) -> str:
            return root

    location = Location(Elsewhere(LocalStore(tmp_path), lambda path, offset, data: data), folder)
    assert copy_folder(location) == (None if expected is None else mirror_root(expected[0]) / expected[1])


def test_what_is_local_or_was_not_pulled_is_read_where_it_is(remote: Location, two_splits: Path) -> None:
    local = Location(LocalStore(two_splits), "wide/1.0.0")
    plan_pull(local).run()
    assert through_cache(local) is local
    other = Location(remote.store, "wide_train/1.0.0")
    assert through_cache(other) is other


def test_a_pulled_version_is_read_from_its_copy(remote: Location, log: ReadLog) -> None:
    plan_pull(remote).run()
    before = log.num_bytes()
    cached = through_cache(remote)
    expected = [group.table() for group in opened(cached)["train"]]
    assert log.num_bytes() == before
    assert str(cached) == str(remote)
    assert expected == [group.table() for group in opened(remote)["train"]]
    assert through_cache(cached) is cached


def test_a_split_that_was_not_pulled_is_read_where_it_is(remote: Location, log: ReadLog) -> None:
    plan_pull(remote, ["train"]).run()
    before = log.num_bytes("tfrecord")
    dataset = opened(through_cache(remote))
    list(dataset["train"])
    assert log.num_bytes("tfrecord") == before
    assert sum(len(list(group.examples())) for group in dataset["test"]) == 60
    assert log.num_bytes("tfrecord") > before


def test_a_copy_that_is_removed_meanwhile_is_done_without(remote: Location) -> None:
    planned = plan_pull(remote)
    planned.run()
    cached = through_cache(remote)
    path = planned.files[1].path
    size = cached.store.size_bytes(f"wide/1.0.0/{path}")
    expected = cached.store.read(f"wide/1.0.0/{path}", 5, 100)
    shutil.rmtree(planned.folder)
    assert cached.store.read(f"wide/1.0.0/{path}", 5, 100) == expected
    assert cached.store.size_bytes(f"wide/1.0.0/{path}") == size


def test_a_cached_store_tells_which_files_are_here(remote: Location) -> None:
    planned = plan_pull(remote, ["test"])
    planned.run()
    store = through_cache(remote).store
    assert isinstance(store, CachedStore)
    here = planned.folder / "test-00000-of-00002.tfrecord"
    assert store.local_path("wide/1.0.0/test-00000-of-00002.tfrecord") == here
    assert store.local_path("wide/1.0.0/train-00000-of-00003.tfrecord") is None
    assert store.local_path("wide/1.0.0/manifest.json") is None
    assert store.local_path("text/1.0.0/features.json") is None


def test_a_cached_store_is_otherwise_the_store(remote: Location, two_splits: Path) -> None:
    plan_pull(remote).run()
    store = through_cache(remote).store
    assert store.folders("wide") == ["1.0.0"]
    assert store.size_bytes("wide/2.0.0/manifest.json") is None
    assert store.put_if_absent("wide/2.0.0/x", b"y")
    assert (two_splits / "wide" / "2.0.0" / "x").read_bytes() == b"y"
    with pytest.raises(FileNotFoundError):
        store.read("wide/1.0.0/nothing")


def test_a_cached_store_goes_to_other_processes(two_splits: Path, cache: Path) -> None:
    location = Location(LocalStore(two_splits), "wide/1.0.0")
    planned = plan_pull(location)
    planned.run()
    store = pickle.loads(pickle.dumps(CachedStore(location.store, location.folder, planned.folder)))
    assert store.read("wide/1.0.0/features.json") == (planned.folder / "features.json").read_bytes()


def test_a_version_that_was_published_anew_is_noticed(remote: Location, two_splits: Path) -> None:
    planned = plan_pull(remote)
    planned.run()
    path = two_splits / "wide" / "1.0.0" / "manifest.json"
    fields = json.loads(path.read_bytes())
    path.unlink()
    path.write_bytes(Manifest.model_validate({**fields, "description": "anew"}).to_json())
    with pytest.raises(ConflictError, match=rf"is not what was pulled to {planned.folder}: .* Remove that folder and"):
        opened(through_cache(remote))
    shutil.rmtree(planned.folder)
    assert opened(through_cache(remote)).manifest.description == "anew"


def test_a_version_whose_claim_is_no_claim_is_not_read_from_the_copy(remote: Location) -> None:
    planned = plan_pull(remote)
    planned.run()
    (planned.folder / "manifest.json").unlink()
    claim = planned.folder / "claim.json"
    claim.unlink()
    claim.write_text("[]")
    with pytest.raises(ConflictError, match="is not what was pulled"):
        opened(through_cache(remote))


def test_opening_a_pulled_mirror_needs_no_cache(remote: Location) -> None:
    planned = plan_pull(remote)
    planned.run()
    assert groupstream.open("wide", str(planned.root))["test"].num_examples == 60
