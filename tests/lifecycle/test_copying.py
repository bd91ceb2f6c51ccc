"""A version is copied to another root by the protocol of a build; a damaged one is not."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import groupstream
from groupstream import ConflictError, CorruptError, PublishError, UsageError
from groupstream.catalog import read_catalog
from groupstream.commit import claim_version, read_claim
from groupstream.refs import resolve
from groupstream.stores import LocalStore, open_store
from groupstream.testing import FolderServer
from lifecycle import bringing
from lifecycle.copying import plan_copy

FOLDER = "news/1.0.0"


@pytest.fixture
def source(put_version, tmp_path):
    """A folder with news@1.0.0."""
    store = LocalStore(tmp_path / "root")
    put_version(store, "news@1.0.0", claim={"run": "r1"})
    return store


@pytest.fixture
def any_source(store, put_version):
    """The same; or a bucket with it."""
    put_version(store, "news@1.0.0", claim={"run": "r1"})
    return store


@pytest.fixture(params=["to a folder", pytest.param("to a bucket", marks=pytest.mark.integration)])
def target(request, tmp_path, bucket):
    """An empty store to copy to."""
    return LocalStore(tmp_path / "target") if request.param == "to a folder" else open_store("gs://bucket/target")


def copy_to(target, source, registry=None, aliases=(), on_bytes=lambda count: None):
    """As the command does it."""
    copy = plan_copy(resolve("news@1.0.0", source.root), target)
    if not copy.is_published():
        copy.run(registry, copy.missing_files(), on_bytes)
    return copy.announce(registry, list(aliases))


def content_of(store):
    """What readers see of the version."""
    paths = sorted(stored.path for stored in store.objects(FOLDER) if not stored.path.endswith("claim.json"))
    return {path: store.read(path) for path in paths}


def test_every_byte_is_as_it_was_and_the_target_knows_the_version(any_source, target, registry):
    came = []
    change = copy_to(target, any_source, registry, ["stable"], came.append)
    assert content_of(target) == content_of(any_source)
    assert sum(came) == sum(
        file.size_bytes for file in groupstream.open("news@1.0.0", target.root).manifest.all_files()
    )
    assert change.after.aliases == {"latest": "1.0.0", "stable": "1.0.0"} == read_catalog(target, "news").aliases
    [row] = registry.versions("news", target.root)
    assert (row.state, row.has_manifest) == ("published", True)
    claim = read_claim(target, FOLDER)
    assert (claim["published_from"], claim["by"]) == (f"{any_source.root}/{FOLDER}", "tester")
    assert groupstream.open("news@1.0.0", target.root)["train"].num_groups == 8


def test_nothing_of_the_way_is_left_on_this_machine(any_source, target, tmp_path):
    copy_to(target, any_source)
    left = {p.name for p in tmp_path.rglob("*") if p.is_file() and (".staging" in p.parts or "cache" in p.parts)}
    assert left <= {"swap.lock", ".swap.lock"}
    assert not list(tmp_path.rglob("publish-*"))


def test_a_copy_in_a_folder_has_bytes_of_its_own(put_version, tmp_path):
    """So what damages the one leaves the other."""
    source, target = LocalStore(tmp_path / "root"), LocalStore(tmp_path / "target")
    put_version(source, "news@1.0.0")
    copy_to(target, source)
    files = [stored.path for stored in source.objects(FOLDER) if not stored.path.endswith("claim.json")]
    assert not any((tmp_path / "root" / path).samefile(tmp_path / "target" / path) for path in files)


def test_the_original_bytes_of_the_manifest_are_copied(put_version, target, tmp_path):
    """Also fields that this library does not know."""
    source = LocalStore(tmp_path / "root")
    manifest, content = put_version(source, "news@1.0.0")
    path = tmp_path / "root" / FOLDER / "manifest.json"
    later = with_field_of_a_later_library(content)
    path.chmod(0o644)
    path.write_bytes(later)
    copy_to(target, source)
    assert target.read(f"{FOLDER}/manifest.json") == later != manifest.to_json()


def with_field_of_a_later_library(content: bytes) -> bytes:
    import hashlib
    import json

    from groupstream.manifest import canonical_json

    fields = {k: v for k, v in json.loads(content).items() if k != "checksum"} | {"of_later": [1]}
    return canonical_json({**fields, "checksum": hashlib.sha256(canonical_json(fields)).hexdigest()})


def test_a_pulled_copy_is_published_from_its_folder(any_source, target, tmp_path):
    folder = groupstream.pull("news@1.0.0", any_source.root, to=tmp_path / "pulled").location
    copy = plan_copy(resolve(folder), target)
    copy.run(None, copy.missing_files())
    assert content_of(target) == content_of(any_source)


def test_a_folder_of_any_name_is_published_under_its_own_name(put_version, target, tmp_path):
    put_version(LocalStore(tmp_path / "root"), "news@1.0.0")
    (tmp_path / "root/news/1.0.0").rename(tmp_path / "something")
    copy = plan_copy(resolve(str(tmp_path / "something")), target)
    copy.run(None, copy.missing_files())
    assert groupstream.open("news@1.0.0", target.root).manifest.ref == "news@1.0.0"


def test_it_may_come_from_a_web_server(put_version, target, tmp_path):
    put_version(LocalStore(tmp_path / "root"), "news@1.0.0")
    with FolderServer(tmp_path / "root") as server:
        copy = plan_copy(resolve(f"{server.url}/{FOLDER}"), target)
        copy.run(None, copy.missing_files())
    assert content_of(target) == content_of(LocalStore(tmp_path / "root"))


def test_what_is_there_is_not_copied_again(source, target, registry):
    copy_to(target, source, registry)
    came = []
    change = copy_to(target, source, registry, ["stable"], came.append)
    assert came == []
    assert change.before.aliases == {"latest": "1.0.0"}
    assert registry.aliases(target.root, "news") == {"latest": "1.0.0", "stable": "1.0.0"}


def test_it_goes_on_where_a_copy_was_killed(any_source, target, monkeypatch):
    copy = plan_copy(resolve("news@1.0.0", any_source.root), target)
    with monkeypatch.context() as killed:
        killed.setattr(target, "put_if_absent", interrupted_after(5, target.put_if_absent))  # the claim and four files
        with pytest.raises(KeyboardInterrupt):
            copy.run(None, copy.missing_files())
    assert not copy.is_published(), "a reader sees nothing of it"
    left = copy.missing_files()
    assert len(left) == len(copy.manifest.all_files()) - 4 > 0
    came = []
    copy.run(None, left, came.append)
    assert 0 < sum(came) <= sum(file.size_bytes for file in left)
    assert content_of(target) == content_of(any_source)


def interrupted_after(num_calls, call):
    """Does the first calls, and no other, in any thread: as if the process had ended there."""
    tickets = itertools.count()

    def first_calls(*args, **kwargs):
        if next(tickets) >= num_calls:
            raise KeyboardInterrupt
        return call(*args, **kwargs)

    return first_calls


@pytest.mark.parametrize("damage", ["changed", "shortened", "missing"])
@pytest.mark.parametrize("file", ["train-00001-of-00003.tfrecord", "report/card.html", "train.groups.parquet"])
def test_a_damaged_version_is_not_published(put_version, target, registry, tmp_path, damage, file):
    put_version(LocalStore(tmp_path / "root"), "news@1.0.0")
    path = tmp_path / "root" / FOLDER / file
    path.chmod(0o644)
    if damage == "missing":
        path.unlink()
    else:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content if damage == "changed" else content[:-1])
    with pytest.raises(CorruptError, match=file):
        copy_to(target, LocalStore(tmp_path / "root"), registry)
    assert target.stat(f"{FOLDER}/{file}") is None, "nothing of the damaged file"
    assert target.stat(f"{FOLDER}/manifest.json") is None
    assert [row.state for row in registry.versions()] == ["failed"]
    assert read_catalog(target, "news") is None


def test_another_version_of_the_same_number_is_a_conflict(source, target, put_version):
    put_version(target, "news@1.0.0", claim={"run": "theirs"}, description="another")
    with pytest.raises(ConflictError, match=r"is another one, by run theirs; a version never changes"):
        copy_to(target, source)


def test_a_number_that_another_build_claimed_is_a_conflict(source, target):
    claim_version(target, FOLDER, "0" * 64, {"run": "theirs"})
    with pytest.raises(ConflictError, match="from another spec or source, by run theirs"):
        copy_to(target, source)
    assert [stored.path for stored in target.objects(FOLDER)] == [f"{FOLDER}/claim.json"]


def test_a_file_with_other_bytes_is_a_conflict(source, target):
    target.put_if_absent(f"{FOLDER}/train-00000-of-00003.tfrecord", b"other")
    with pytest.raises(ConflictError, match="exists with other bytes"):
        copy_to(target, source)


def test_a_deleted_number_stays_taken(source, target):
    target.put_if_absent(f"{FOLDER}/tombstone.json", b"{}")
    with pytest.raises(ConflictError, match="was deleted"):
        copy_to(target, source)


@pytest.mark.parametrize("name", ["../outside", "", "a/b", "\x1b[31m"])
def test_a_manifest_cannot_name_another_folder(put_version, tmp_path, everything, name):
    put_version(LocalStore(tmp_path / "root"), "news@1.0.0")
    path = tmp_path / "root" / FOLDER / "manifest.json"
    renamed = groupstream.open(path.parent).manifest.model_copy(update={"name": name})
    path.chmod(0o644)
    path.write_bytes(renamed.to_json())
    before = everything()
    with pytest.raises(CorruptError, match="is no name of a dataset"):
        plan_copy(resolve(str(path.parent)), LocalStore(tmp_path / "target"))
    assert everything() == before


@pytest.mark.parametrize("file", ["manifest.json", "claim.json", "tombstone.json"])
def test_a_manifest_cannot_list_what_the_protocol_writes(put_version, tmp_path, file):
    store = LocalStore(tmp_path / "root")
    manifest, _ = put_version(store, "old@1.0.0")
    files = (*manifest.files, manifest.files[0].model_copy(update={"path": file}))
    changed = manifest.model_copy(update={"files": files})
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/manifest.json").write_bytes(changed.to_json())
    with pytest.raises(CorruptError, match="is no file that a manifest describes"):
        plan_copy(resolve(str(tmp_path / "bad")), LocalStore(tmp_path / "target"))


def test_an_alias_that_cannot_be_is_refused(source, target):
    copy = plan_copy(resolve("news@1.0.0", source.root), target)
    with pytest.raises(UsageError, match="cannot be an alias"):
        copy.announce(None, ["Stable"], dry_run=True)


def test_planning_writes_nothing(source, target, everything):
    before = everything()
    copy = plan_copy(resolve("news@1.0.0", source.root), target)
    assert not copy.is_published() and len(copy.missing_files()) == len(copy.manifest.all_files())
    copy.announce(None, ["stable"], dry_run=True)
    assert everything() == before


def test_what_dies_before_the_target_is_told_is_mended_by_doing_it_again(source, target, registry):
    copy = plan_copy(resolve("news@1.0.0", source.root), target)
    copy.run(registry, copy.missing_files())  # and no more
    assert read_catalog(target, "news") is None
    assert [row.state for row in registry.versions("news", target.root)] == ["pending"]
    copy_to(target, source, registry, ["stable"])
    assert [row.state for row in registry.versions("news", target.root)] == ["published"]
    assert registry.aliases(target.root, "news") == {"latest": "1.0.0", "stable": "1.0.0"}


def test_four_at_once_publish_it_once(source, target, registry):
    with ThreadPoolExecutor(4) as threads:
        changes = list(threads.map(lambda i: copy_to(target, source, registry, [f"a{i}"]), range(4)))
    assert len(changes) == 4
    assert content_of(target) == content_of(source)
    assert set(read_catalog(target, "news").aliases) == {"latest", "a0", "a1", "a2", "a3"}
    assert registry.aliases(target.root, "news") == read_catalog(target, "news").aliases


def test_no_more_than_four_files_lie_on_this_machine(put_version, bucket, tmp_path, monkeypatch):
    """On the way from one bucket to another."""
    source, target = open_store("gs://bucket/source"), open_store("gs://bucket/target")
    put_version(source, "news@1.0.0")
    most, lock = [0], threading.Lock()
    put = type(target).put_if_absent

    def counting(store, path, content, crc32c=None):
        staged = [p for p in (tmp_path / "cache").rglob("*") if p.is_file() and p.suffix not in (".blocks", ".lock")]
        with lock:
            most[0] = max(most[0], len([p for p in staged if not p.name.endswith(".lock.part")]))
        return put(store, path, content, crc32c)

    monkeypatch.setattr(type(target), "put_if_absent", counting)
    copy_to(target, source)
    assert 0 < most[0] <= bringing.FILES


def test_a_full_disk_is_found_before_anything_is_read(source, tmp_path, monkeypatch):
    monkeypatch.setattr(bringing, "free_bytes_in", lambda folder: 1000)
    with pytest.raises(PublishError, match="1,000 are free"):
        copy_to(LocalStore(tmp_path / "target"), source)


def test_a_bucket_that_may_only_be_read_is_refused_in_a_line(put_version, bucket, tmp_path):
    put_version(LocalStore(tmp_path / "root"), "news@1.0.0")
    bucket.buckets.add("theirs")
    bucket.denied.add("theirs")
    with pytest.raises(groupstream.GroupstreamError, match="permission denied"):
        copy_to(open_store("gs://theirs/target"), LocalStore(tmp_path / "root"))


@pytest.mark.integration
def test_a_killed_process_leaves_nothing_that_a_reader_sees_and_the_next_goes_on(put_version, registry, tmp_path):
    source, target = LocalStore(tmp_path / "root"), LocalStore(tmp_path / "target")
    put_version(source, "news@1.0.0")
    script = Path(tmp_path / "publisher.py")
    script.write_text(
        "import sys, time\n"
        "from groupstream.refs import resolve\nfrom groupstream.stores import LocalStore\n"
        "from lifecycle import copying\n"
        "copy = copying.plan_copy(resolve('news@1.0.0', sys.argv[1]), LocalStore(sys.argv[2]))\n"
        "came = []\n"
        "def stall(count):\n    came.append(count)\n    if len(came) == int(sys.argv[3]):\n"
        "        print('now', flush=True)\n        time.sleep(60)\n"
        "copy.run(None, copy.missing_files(), stall)\n"
    )
    for num_files in (1, 2, 4):
        process = subprocess.Popen(
            [sys.executable, str(script), source.root, target.root, str(num_files)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        with process:
            assert process.stdout is not None and process.stdout.readline() == b"now\n"
            process.send_signal(signal.SIGKILL)
        assert not (tmp_path / "target" / FOLDER / "manifest.json").exists()
    copy_to(target, source, registry)
    assert content_of(target) == content_of(source)
