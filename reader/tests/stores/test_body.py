"""Bodies that end too early: no byte that came is asked for again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from groupstream.stores import HttpStore
from groupstream.stores.body import Answer, read_body
from groupstream.testing import FolderServer, Reply

# Google's client lets go of some failed answers unread.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

CONTENT = random.Random(3).randbytes(3 << 20)
REMOTE = pytest.mark.parametrize("place", ["gcs", "s3", "http"], indirect=True)


class Cut(Exception):  # noqa: N818
    pass


def blocks(*content: bytes, cut: bool = False) -> Iterator[bytes]:
    yield from content
    if cut:
        raise Cut


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)


@REMOTE
@pytest.mark.parametrize("part", [(), (1000, 2 << 20)])
def test_a_read_that_is_cut_goes_on_where_it_was(place, part: tuple[int, ...]) -> None:
    place.write("x", CONTENT)
    place.server.faults.cut(2)
    expected = CONTENT[part[0] : sum(part)] if part else CONTENT
    before = place.server.body_bytes
    assert place.store().read("x", *part) == expected
    assert not len(place.server.faults)
    assert len(expected) <= place.server.body_bytes - before <= len(expected) + 2 * (65 << 10)


def test_what_came_of_another_object_is_forgotten(no_waits: None) -> None:
    asked, answers = (
        [],
        [
            Answer(blocks(b"old", cut=True), "1"),
            Answer(blocks(b"", cut=True), "2", 3),
            Answer(blocks(b"new", cut=True), "2"),
            Answer(blocks(b"est"), "2", 3),
        ],
    )

    def ask(have: int) -> Answer:
        asked.append(have)
        return answers[len(asked) - 1]

    assert read_body(ask, (Cut,), 3) == (b"newest", "2")
    assert asked == [0, 3, 0, 3]


def test_a_server_without_ranges_begins_again(no_waits: None) -> None:
    answers = iter([Answer(blocks(b"con", cut=True), "1"), Answer(blocks(b"content"), "1", 0)])
    assert read_body(lambda have: next(answers), (Cut,), 3).content == b"content"


def test_it_is_given_up_when_nothing_comes_again_and_again(no_waits: None) -> None:
    asked = []

    def ask(have: int) -> Answer:
        asked.append(have)
        return Answer(blocks(*[b"x"] * (len(asked) < 9), cut=True), "1", have)

    with pytest.raises(Cut):
        read_body(ask, (Cut,), 4)
    assert asked == [0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8]


def test_a_file_that_is_replaced_meanwhile_is_read_as_one_of_both(tmp_path: Path) -> None:
    pytest.importorskip("requests")

    class Changing(FolderServer):
        def reply(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
            (tmp_path / "x").write_bytes(b"%d" % min(len(self.requests), 3) * 300_000)
            answer = super().reply(method, path, headers, body)
            return answer._replace(headers={**answer.headers, "ETag": f'"{min(len(self.requests), 3)}"'})

    with Changing(tmp_path) as server:
        server.faults.cut(3)
        assert HttpStore(server.url).read("x") == b"3" * 300_000


@pytest.mark.parametrize("kept_bytes", [0, 512 << 10])
@pytest.mark.parametrize("place", ["gcs"], indirect=True)
def test_an_upload_of_which_a_part_is_kept_arrives_whole(
    place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept_bytes: int
) -> None:
    monkeypatch.setattr("google.cloud.storage.blob._MAX_MULTIPART_SIZE", 1000)
    content = random.Random(1).randbytes(2 * kept_bytes or 3000)
    (tmp_path / "source").write_bytes(content)
    place.server.faults.keep_part(times=2)
    assert place.store().put_if_absent("x", tmp_path / "source")
    assert not len(place.server.faults)
    place.server.faults.keep_part(times=3)
    assert place.store().put_if_absent("y", content)
    assert place.store().swap("z", content, None)
    assert not len(place.server.faults)
    assert [place.store().read(path) for path in "xyz"] == [content] * 3
