"""What a store is given is what it was said to be, or it is not stored."""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Callable
from pathlib import Path

import google_crc32c
import pytest

from groupstream import PublishError
from groupstream.stores.crc32c import as_base64, crc32c_of, crc32c_of_parts
from groupstream.stores.known_crc32c import crc32c_in
from groupstream.testing import Reply, WrappedStore

# Google's client lets go of some failed answers unread.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

WRITTEN, BUCKETS = ["local", "gcs", "s3"], ["gcs", "s3"]
SIZES = pytest.mark.parametrize("size", [0, 1_000, 17 << 20])
NO_CHECKSUMS = b"<Error><Code>NotImplemented</Code><Message>no checksums here</Message></Error>"


def only(*kinds: str) -> pytest.MarkDecorator:
    """For tests of some stores: `place` is made of each of these kinds."""
    return pytest.mark.parametrize("place", kinds, indirect=True)


def content_of(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def flip_a_byte(place, content: bytes, forge: bool = False) -> None:
    """From now on one byte of `content` changes on its way to the server.

    S3 compares what it gets with the checksum that comes with it; the server of these tests does not, so it is done
    here.

    Args:
        forge: the checksum is changed as well, as if the server made an object of whatever comes.
    """
    pass_on, start = place.server.reply, content[:64]
    changed = bytes([content[0] ^ 1]) + content[1:]
    sums = [as_base64(crc32c_of(each)).encode() for each in (content, changed)]

    def reply(method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        if forge:
            body = body.replace(*sums)
        if (at := body.find(start)) >= 0:
            body = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        stated = headers.get("x-amz-checksum-crc32c")
        if place.kind == "s3" and method == "PUT" and stated not in (None, as_base64(crc32c_of(body))):
            return Reply(400, b"<Error><Code>BadDigest</Code><Message>no</Message></Error>")
        return pass_on(method, path, headers, body)

    place.server.reply = reply


@SIZES
@only(*WRITTEN)
@pytest.mark.parametrize("given", ["bytes", "file"])
def test_content_of_the_described_crc32c_is_written(place, tmp_path: Path, size: int, given: str) -> None:
    content = content_of(size)
    (tmp_path / "source").write_bytes(content)
    assert place.store().put_if_absent("x", content if given == "bytes" else tmp_path / "source", crc32c_of(content))
    assert place.store().read("x") == content


@SIZES
@only(*WRITTEN)
@pytest.mark.parametrize("given", ["bytes", "file"])
def test_content_that_changed_since_it_was_described_is_refused(place, tmp_path: Path, size: int, given: str) -> None:
    (tmp_path / "source").write_bytes(changed := content_of(size) + b"!")
    store, described = place.store(), crc32c_of(content_of(size) + b"?")
    words = rf"^cannot write .*/x: the bytes have crc32c {crc32c_of(changed)}, {described} was described\. Try again"
    with pytest.raises(PublishError, match=words):
        store.put_if_absent("x", changed if given == "bytes" else tmp_path / "source", described)
    assert store.stat("x") is None
    assert store.put_if_absent("x", changed, crc32c_of(changed))


@only(*BUCKETS)
@pytest.mark.parametrize("size", [1_000, 17 << 20])
def test_a_byte_that_changes_on_the_way_is_refused(place, tmp_path: Path, size: int) -> None:
    (tmp_path / "source").write_bytes(content := content_of(size))
    flip_a_byte(place, content)
    for source in (content, tmp_path / "source"):
        with pytest.raises(PublishError, match=r"^cannot write .*/x: (the bytes have crc32c|its bytes changed on)"):
            place.store().put_if_absent("x", source, crc32c_of(content))
        assert place.store().stat("x") is None
    assert not any(request.method == "DELETE" and "upload" not in request.path for request in place.server.requests)


@only("gcs")
@pytest.mark.parametrize("size", [1_000, 17 << 20])
def test_what_a_careless_server_made_of_other_bytes_does_not_stay(place, tmp_path: Path, size: int) -> None:
    (tmp_path / "source").write_bytes(content := content_of(size))
    flip_a_byte(place, content, forge=True)
    with pytest.raises(PublishError, match=r"^cannot write .*/x: the bytes have crc32c"):
        place.store().put_if_absent("x", tmp_path / "source", crc32c_of(content))
    assert any(request.method == "DELETE" for request in place.server.requests)
    assert place.store().stat("x") is None


@only("s3")
def test_a_server_that_knows_no_checksums_gets_none(place, tmp_path: Path, s3_client) -> None:
    (tmp_path / "source").write_bytes(content := content_of(17 << 20))
    pass_on = place.server.reply

    def reply(method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        if "x-amz-checksum-type" in headers:
            return Reply(501, NO_CHECKSUMS)
        return pass_on(method, path, headers, body)

    place.server.reply = reply
    with pytest.raises(PublishError, match="the bytes have crc32c"):
        place.store().put_if_absent("x", tmp_path / "source", "00000000")
    assert "Uploads" not in s3_client.list_multipart_uploads(Bucket=place.root.split("/")[2])
    assert place.store().put_if_absent("x", tmp_path / "source", crc32c_of(content))
    assert place.store().read("x") == content


@SIZES
@only(*WRITTEN)
def test_what_a_bucket_knows_of_an_object_need_not_be_read(place, tmp_path: Path, size: int) -> None:
    (tmp_path / "source").write_bytes(content := content_of(size))
    store = place.store()
    store.put_if_absent("x", tmp_path / "source", crc32c_of(content))
    store.copy_if_absent("x", "y")
    known = None if place.kind == "local" else crc32c_of(content)
    assert crc32c_in(store, "x") == crc32c_in(store, "y") == known
    assert crc32c_in(WrappedStore(store, lambda path, offset, data: data), "x") == known
    assert crc32c_in(store, "missing") is None


@only("s3")
@pytest.mark.parametrize("told", [{}, {"x-amz-checksum-type": "COMPOSITE"}, {"x-amz-checksum-crc32c": "4waSgw==-2"}])
def test_a_checksum_of_checksums_is_not_taken_for_the_crc32c(place, s3_client, told: dict[str, str]) -> None:
    bucket, prefix = re.fullmatch("s3://([^/]+)/(.*)", place.root).groups()
    sums = {"ChecksumAlgorithm": "CRC32C", "ChecksumCRC32C": as_base64(crc32c_of(b"content"))} if told else {}
    s3_client.put_object(Bucket=bucket, Key=f"{prefix}/x", Body=b"content", **sums)
    pass_on = place.server.reply

    def reply(method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        answer = pass_on(method, path, headers, body)
        return answer._replace(headers={**answer.headers, **told})

    place.server.reply = reply
    assert crc32c_in(place.store(), "x") is None


@pytest.mark.parametrize("seed", range(20))
def test_the_crc32c_of_a_whole_is_that_of_its_parts(seed: int) -> None:
    draw = random.Random(seed)
    parts = [draw.randbytes(draw.choice([0, 1, 7, 1_000, 65_536])) for _ in range(draw.randrange(8))]
    summed = [(google_crc32c.value(part), len(part)) for part in parts]
    assert crc32c_of_parts(summed) == crc32c_of(b"".join(parts))


def test_a_crc32c_is_written_as_clouds_write_it(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content := content_of(9 << 20))
    assert crc32c_of(tmp_path / "x") == crc32c_of(content)
    assert base64.b64decode(as_base64("00000001")) == b"\0\0\0\1"


def test_the_length_of_parts_may_be_large() -> None:
    """As if a gibibyte of zeros came after: shifting by 1 MiB a thousand times comes to the same."""
    whole: Callable[[int, int], str] = lambda crc, times: crc32c_of_parts([(crc, 4), *[(0, 1 << 20)] * times])  # noqa: E731
    assert whole(0x12345678, 1024) == crc32c_of_parts([(0x12345678, 4), (0, 1 << 30)])
