"""One list of promises, kept by every store."""

from __future__ import annotations

import os
import pickle
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from groupstream import PublishError, StoreError, UsageError
from groupstream.stores import Store

# Google's client lets go of some failed answers unread.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

ACCESS_DENIED = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>no</Message></Error>'
SIGN_IN = {"local": "", "gcs": "gcloud auth application-default login", "s3": "aws configure", "http": "~/.netrc"}

SLOW = pytest.mark.integration  # a client waits between its attempts

REMOTE, WRITTEN = ["gcs", "s3", "http"], ["local", "gcs", "s3"]


def only(*kinds: str) -> pytest.MarkDecorator:
    """For tests of some stores: `place` is made of each of these kinds."""
    return pytest.mark.parametrize("place", kinds, indirect=True)


def test_the_root_is_what_was_given(place) -> None:
    assert place.store().root == place.store(place.root + "/").root == place.root


def test_an_object_is_read_whole_and_in_ranges_that_end_with_it(place) -> None:
    place.write("a/x", b"0123456789")
    store = place.store()
    assert store.read("a/x") == b"0123456789"
    assert store.read("a/x", 3) == b"3456789"
    assert store.read("a/x", 0, 4) == b"0123"
    assert store.read("a/x", 3, 2) == b"34"
    assert store.read("a/x", 8, 100) == b"89"
    assert store.read("a/x", 2, 0) == b""
    assert store.read("a/x", 10, 5) == store.read("a/x", 10) == store.read("a/x", 100, 1) == b""


def test_an_empty_object_is_one(place) -> None:
    place.write("x", b"")
    store = place.store()
    assert store.read("x") == store.read("x", 0, 5) == store.read("x", 5) == b""
    assert store.size_bytes("x") == 0


@pytest.mark.parametrize("name", ["a b", "ä", "50%", "%41", "a+b", "q?", "h#", "a=b&c"])
def test_a_name_may_have_any_letters(place, name: str) -> None:
    place.write(f"{name}/x", b"content")
    assert place.store().read(f"{name}/x", 1, 3) == b"ont"
    assert place.store().size_bytes(f"{name}/x") == 7


def test_what_is_missing_is_told_by_its_full_name(place) -> None:
    place.write("x", b"content")
    for ask in ((), (3,), (0, 5)):
        with pytest.raises(FileNotFoundError) as caught:
            place.store().read("a/missing", *ask)
        assert str(caught.value.filename) == f"{place.root}/a/missing"
    assert place.store().size_bytes("a/missing") is place.store().size_bytes("x/below") is None


def test_a_large_object_comes_back_as_it_was(place, tmp_path: Path) -> None:
    content = random.Random(7).randbytes((40 << 20) + 5)
    (tmp_path / "source").write_bytes(content)
    if place.folder is None:
        assert place.store().put_if_absent("x", tmp_path / "source")
        (tmp_path / "source").unlink()
    else:
        place.write("x", content)
    store = place.store()
    assert store.size_bytes("x") == len(content)
    assert store.read("x") == content
    assert store.read("x", 17 << 20, 1 << 20) == content[17 << 20 : 18 << 20]


@only(*WRITTEN)
def test_folders_are_those_that_hold_objects(place) -> None:
    for path in ("b/1.0.0/x", "b/2.0.0/deep/y", "a/y", ".hidden/z", "top", "bc/x"):
        place.write(path, b"12345")
    store = place.store()
    assert store.folders("") == ["a", "b", "bc"]
    assert store.folders("b") == ["1.0.0", "2.0.0"]
    assert store.folders("missing") == store.folders("top") == store.folders("b/1.0.0") == []


@only("gcs", "s3")
def test_folders_of_many_pages_are_all_there(place) -> None:
    for number in range(8):
        place.write(f"b/{number}/x", b"")
    assert place.store().folders("b") == [str(number) for number in range(8)]


@only("gcs", "s3")
def test_a_bucket_itself_is_a_root(place) -> None:
    place.write("x", b"content")
    bucket = place.root.removesuffix("/some/prefix")
    assert place.store(bucket).read("some/prefix/x") == b"content"
    assert place.store(bucket).folders("") == ["some"]
    assert place.store(bucket + "/").folders("some") == ["prefix"]


@only(*WRITTEN)
def test_an_object_is_written_once_and_stays(place, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"third")
    store = place.store()
    assert store.put_if_absent("a/b/c.txt", b"first")
    assert not store.put_if_absent("a/b/c.txt", b"second, longer")
    assert not store.put_if_absent("a/b/c.txt", tmp_path / "source")
    assert store.read("a/b/c.txt") == b"first"
    assert store.put_if_absent("d", tmp_path / "source")
    assert store.read("d") == b"third"


@only(*WRITTEN)
def test_a_large_object_is_written_once_and_stays(place, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(bytes(20 << 20))
    assert place.store().put_if_absent("x", b"first")
    assert not place.store().put_if_absent("x", tmp_path / "source")
    assert place.store().read("x") == b"first"


@only("gcs", "s3")
def test_an_object_that_appears_during_a_large_upload_stays(place, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(bytes(20 << 20))
    place.write("other", b"")
    pass_on, begun = place.server.reply, []

    def reply(method: str, path: str, headers: dict[str, str], body: bytes) -> object:
        if "upload_id=" in path.lower().replace("uploadid", "upload_id") and not begun:
            begun.append(path)
            place.write("x", b"of another")
        return pass_on(method, path, headers, body)

    place.server.reply = reply
    assert not place.store().put_if_absent("x", tmp_path / "source")
    assert begun
    assert place.store().read("x") == b"of another"


@only("local", "gcs")  # moto looks first and writes then; S3 itself promises it
@pytest.mark.parametrize("size", [100_000, 17 << 20])
def test_of_many_that_write_at_once_exactly_one_does(place, tmp_path: Path, size: int) -> None:
    sources = [tmp_path / f"source-{number}" for number in range(4)]
    for number, source in enumerate(sources):
        source.write_bytes(bytes([number]) * size)
    store = place.store()
    with ThreadPoolExecutor(4) as threads:
        won = list(threads.map(lambda source: store.put_if_absent("x", source), sources))
    assert sum(won) == 1
    assert store.read("x") == sources[won.index(True)].read_bytes()


@only(*WRITTEN)
def test_a_source_that_is_missing_is_named(place, tmp_path: Path) -> None:
    with pytest.raises(PublishError, match=r"cannot write .*/a/x: .*No such file"):
        place.store().put_if_absent("a/x", tmp_path / "missing")
    assert place.store().size_bytes("a/x") is None


@only("http")
def test_a_web_server_is_only_read(place) -> None:
    with pytest.raises(UsageError, match=rf"{place.root} cannot list .* full address, such as {place.root}/text/1\.0"):
        place.store().folders("")
    with pytest.raises(PublishError, match=rf"cannot write {place.root}/x: a web server .* by its full address"):
        place.store().put_if_absent("x", b"")


def test_threads_share_a_store(place) -> None:
    content = random.Random(3).randbytes(1 << 20)
    place.write("x", content)
    store = place.store()
    starts = [number * 10_007 for number in range(96)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda start: store.read("x", start, 50_000), starts))
    assert found == [content[start : start + 50_000] for start in starts]


def test_a_store_that_was_used_can_be_pickled(place) -> None:
    place.write("x", b"content")
    store = place.store()
    assert store.read("x") == pickle.loads(pickle.dumps(store)).read("x") == b"content"


FORKED = """
import multiprocessing, sys
from concurrent.futures import ThreadPoolExecutor
from groupstream.stores import open_store
store = open_store(sys.argv[1])
def read(start):
    return store.read("x", start, 2)
with ThreadPoolExecutor(8) as threads:
    before = list(threads.map(read, range(8)))
with multiprocessing.get_context("fork").Pool(3) as children:
    assert children.map(read, range(8)) == before == list(map(read, range(8)))
print(b"".join(before))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_store_that_was_used_works_in_a_forked_process(place) -> None:
    place.write("x", b"0123456789")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED, place.root], capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "b'0112233445566778'\n", done.stderr


@SLOW
@only(*REMOTE)
@pytest.mark.parametrize("ask", [(), (3, 100_000)])
def test_what_fails_in_passing_is_asked_again(place, ask: tuple[int, ...]) -> None:
    content = random.Random(5).randbytes(200_000)
    place.write("x", content)
    expected = content if not ask else content[ask[0] : sum(ask)]
    for fault in (place.server.faults.refuse, place.server.faults.cut, place.server.faults.lose):
        fault(method="GET")
        assert place.store().read("x", *ask) == expected
        assert not len(place.server.faults)


@only(*REMOTE)
def test_sizes_are_asked_again(place) -> None:
    place.write("x", b"content")
    place.server.faults.refuse()
    assert place.store().size_bytes("x") == 7
    assert not len(place.server.faults)


@only("gcs", "s3")
def test_a_list_is_asked_again(place) -> None:
    place.write("a/x", b"content")
    place.server.faults.refuse(method="GET")
    assert place.store().folders("") == ["a"]
    assert not len(place.server.faults)


@SLOW
@only("gcs", "s3")
@pytest.mark.parametrize("size", [100, 20 << 20])
def test_a_write_that_fails_in_passing_is_made_again(place, tmp_path: Path, size: int) -> None:
    (tmp_path / "source").write_bytes(bytes(size))
    for method in ("POST", "PUT"):
        place.server.faults.refuse(method=method)
        if not any(r.method == method for r in _requests_of_a_write(place, tmp_path / "source", method)):
            place.server.faults.take(method)
        assert not len(place.server.faults)
        assert place.store().size_bytes(method) == size


def _requests_of_a_write(place, source: Path, path: str) -> list:
    place.server.requests.clear()
    assert place.store().put_if_absent(path, source)
    return list(place.server.requests)


@SLOW
@only("gcs", "s3")
@pytest.mark.parametrize("size", [100, 20 << 20])
def test_a_write_whose_answer_is_lost_leaves_the_whole_object(place, tmp_path: Path, size: int) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(size))
    requests = _requests_of_a_write(place, source, "first")
    for number, lost in enumerate(requests):
        place.server.faults.lose(method=lost.method)
        place.store().put_if_absent(f"x{number}", source)  # False where it cannot know that it was itself
        assert not len(place.server.faults)
        assert place.store().size_bytes(f"x{number}") == size


@SLOW
@only(*REMOTE)
@pytest.mark.parametrize("kind", ["refuse", "cut"])
def test_what_goes_on_failing_is_one_line(place, kind: str) -> None:
    place.write("x", b"content")
    getattr(place.server.faults, kind)(times=100)
    with pytest.raises(
        StoreError, match=rf"^cannot read {place.root}/x: .*(Try again later|then try again)$"
    ) as caught:
        place.store().read("x")
    assert "\n" not in str(caught.value)
    if kind == "refuse":
        with pytest.raises(StoreError, match=rf"^cannot read {place.root}/x: .*(Try again later|then try again)$"):
            place.store().size_bytes("x")


@SLOW
@only("gcs", "s3")
def test_a_write_that_goes_on_failing_is_one_line(place) -> None:
    place.server.faults.refuse(times=100)
    with pytest.raises(PublishError, match=rf"^cannot write {place.root}/x: .*then try again$"):
        place.store().put_if_absent("x", b"content")


@SLOW
@only(*REMOTE)
def test_a_server_that_is_not_there_is_one_line(place, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = "http://127.0.0.1:9"
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value.replace(place.server.url, nobody))
    root = place.root.replace(place.server.url, nobody)
    for ask in (
        (Store.read, Store.size_bytes) if place.kind == "http" else (Store.read, Store.size_bytes, Store.folders)
    ):
        with pytest.raises(
            StoreError, match=rf"^cannot read {root}/a: Connection refused\. Check the address and the network"
        ) as caught:
            getattr(place.store(root), ask.__name__)("a")
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400


@only("gcs", "s3")
def test_a_bucket_that_is_not_there_is_named(place, tmp_path: Path) -> None:
    store = place.store(f"{place.root.split('/')[0]}//nothing-of-this-name/prefix")
    (tmp_path / "source").write_bytes(bytes(20 << 20))
    message = "there is no bucket nothing-of-this-name. List yours with: "
    for ask in (lambda: store.read("x"), lambda: store.read("x", 3, 4), lambda: store.folders("")):
        with pytest.raises(StoreError, match=rf"cannot read {store.root}/x?: {message}"):
            ask()
    for source in (b"x", tmp_path / "source"):
        with pytest.raises(PublishError, match=rf"cannot write {store.root}/x: {message}"):
            store.put_if_absent("x", source)


@only(*REMOTE)
def test_what_is_not_allowed_says_how_to_sign_in(place) -> None:
    place.server.faults.refuse(times=100, status=403, body=ACCESS_DENIED)
    store = place.store()
    asked = {"a": store.read, "b": store.size_bytes} | ({} if place.kind == "http" else {"c": store.folders})
    for path, ask in asked.items():
        with pytest.raises(
            StoreError, match=rf"cannot read {place.root}/{path}: permission denied \(.*{SIGN_IN[place.kind]}"
        ):
            ask(path)
    if place.kind != "http":
        with pytest.raises(
            PublishError, match=rf"cannot write {place.root}/x: permission denied \(.*{SIGN_IN[place.kind]}"
        ):
            store.put_if_absent("x", b"")
