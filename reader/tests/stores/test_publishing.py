"""The commit of a version over HTTP: what is sent, what is not sent again, and who wins."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from groupstream import ConflictError
from groupstream.commit import StagedObject, claim_version, claimed_by, commit_version, describe_file
from groupstream.manifest import Counts, Manifest
from groupstream.refs import published_versions
from groupstream.stores import Store
from groupstream.testing import Reply

# Google's client lets go of some failed answers unread.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

FOLDER = "made/1.0.0"
OVERHEAD_BYTES = 4_000  # of descriptions beside a file, and of the manifest


def only(*kinds: str) -> pytest.MarkDecorator:
    """For tests of some stores: `place` is made of each of these kinds."""
    return pytest.mark.parametrize("place", kinds, indirect=True)


def version_of(contents: dict[str, Any], digest: str = "a", seed: int = 0) -> Manifest:
    files = tuple(describe_file(path, content) for path, content in contents.items())
    required = {"digest": digest, "spec": {}, "source": {}, "code": {}, "features": {}, "splits": {}}
    counts = Counts(examples_in=0, examples_out=0)
    return Manifest(name="made", version="1.0.0", group_feature="g", counts=counts, seed=seed, files=files, **required)


class Dying:
    """A store whose process dies in its n-th write."""

    def __init__(self, store: Store, writes: int) -> None:
        self._store = store
        self._writes = writes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def put_if_absent(self, path: str, source: bytes | Path, crc32c: str | None = None) -> bool:
        self._writes -= 1
        if self._writes < 0:
            raise KeyboardInterrupt
        return self._store.put_if_absent(path, source, crc32c)


class Traffic:
    """What a server gets from now on."""

    def __init__(self, server: Any) -> None:
        self.sent_bytes, self.read_bytes = 0, 0
        pass_on = server.reply

        def reply(method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
            answer = pass_on(method, path, headers, body)
            self.sent_bytes += len(body)
            self.read_bytes += len(answer.body) if method == "GET" else 0
            return answer

        server.reply = reply


@only("gcs", "s3")
@pytest.mark.parametrize("writes", [0, 1, 4, 8])
def test_after_a_crash_only_what_is_missing_is_sent(place, tmp_path: Path, writes: int) -> None:
    contents: dict[str, Any] = {str(number): random.Random(number).randbytes(40_000) for number in range(7)}
    (tmp_path / "large").write_bytes(random.Random(7).randbytes(17 << 20))
    contents["large"] = tmp_path / "large"
    manifest = version_of(contents)
    with pytest.raises(KeyboardInterrupt):
        commit_version(Dying(place.store(), writes), FOLDER, manifest, contents, uploads=1)
    assert published_versions(place.store(), "made") == []
    there = {found.path for found in place.store().objects(FOLDER)}
    assert len(there) == writes
    missing = [file for file in manifest.all_files() if f"{FOLDER}/{file.path}" not in there]

    traffic = Traffic(place.server)
    place.server.requests.clear()
    commit_version(place.store(), FOLDER, manifest, contents)
    missing_bytes = sum(file.size_bytes for file in missing)
    assert missing_bytes <= traffic.sent_bytes < missing_bytes + OVERHEAD_BYTES * (1 + len(missing))
    assert traffic.read_bytes < 8_000  # a listing
    if place.kind == "gcs":  # the listing is of three objects a page; the large file needs three requests
        large = 2 * any(file.path == "large" for file in missing)
        assert len(place.server.requests) == max(1, -(-writes // 3)) + len(missing) + large + 1
    assert published_versions(place.store(), "made") == ["1.0.0"]
    for path, content in contents.items():
        assert place.store().read(f"{FOLDER}/{path}") == (content if path != "large" else content.read_bytes())


@only("gcs", "s3")
def test_a_version_that_is_there_is_not_sent_again(place, tmp_path: Path) -> None:
    contents = {str(number): bytes([number]) * 40_000 for number in range(3)}
    manifest = version_of(contents)
    for _ in range(2):
        traffic = Traffic(place.server)
        commit_version(place.store(), FOLDER, manifest, contents)
    assert traffic.sent_bytes < OVERHEAD_BYTES
    assert traffic.read_bytes < OVERHEAD_BYTES + len(manifest.to_json())


@only("local", "gcs", "s3")
@pytest.mark.parametrize("staged", [False, True])
def test_a_file_with_other_bytes_is_a_conflict_that_names_the_run(place, staged: bool) -> None:
    store = place.store()
    claim_version(store, FOLDER, "a", {"run": "quick-lynx", "created_at": "2026-11-28"})
    store.put_if_absent(f"{FOLDER}/x", b"contenT")
    store.put_if_absent(".staging/x", b"content")
    source = StagedObject(".staging/x") if staged else b"content"
    with pytest.raises(ConflictError, match=r"made/1\.0\.0/x exists with other bytes .* run quick-lynx since 2026-11"):
        commit_version(store, FOLDER, version_of({"x": b"content"}), {"x": source})
    assert store.read(f"{FOLDER}/x") == b"contenT"


@only("gcs", "s3")
def test_what_was_changed_in_the_staging_area_is_refused(place) -> None:
    store = place.store()
    store.put_if_absent(".staging/x", b"contenT")
    with pytest.raises(Exception, match=r"/\.staging/x has crc32c .* was changed in the staging area\. Build"):
        commit_version(store, FOLDER, version_of({"x": b"content"}), {"x": StagedObject(".staging/x")})
    assert store.stat(f"{FOLDER}/x") is None


@only("local", "gcs")  # moto looks first and writes then; S3 itself promises it
def test_of_two_builds_exactly_one_wins_and_the_other_is_told_which(place) -> None:
    store = place.store()

    def publish(name: str) -> str:
        contents = {str(number): name.encode() * 1_000 for number in range(5)}
        if not claim_version(store, FOLDER, name, {"run": name}):
            return claimed_by(store, FOLDER)
        commit_version(store, FOLDER, version_of(contents, name), contents)
        return name

    with ThreadPoolExecutor(4) as threads:
        told = list(threads.map(publish, ["first", "second", "third", "fourth"]))
    won = Manifest.from_json(store.read(f"{FOLDER}/manifest.json"), "").digest
    assert sorted(told) == sorted([won, *[f"run {won}"] * 3])
    assert {store.read(f"{FOLDER}/{number}") for number in range(5)} == {won.encode() * 1_000}


@only("local", "gcs")
def test_two_that_write_the_same_version_at_once_both_end_well(place) -> None:
    contents = {str(number): random.Random(number).randbytes(100_000) for number in range(12)}
    manifest = version_of(contents)
    with ThreadPoolExecutor(3) as threads:
        for done in [threads.submit(commit_version, place.store(), FOLDER, manifest, contents) for _ in range(3)]:
            done.result()
    assert {path: place.store().read(f"{FOLDER}/{path}") for path in contents} == contents
