"""Files in buckets and on web servers: found, read and cut as those of this machine are."""

from __future__ import annotations

import gc
import gzip
import itertools
import json
import logging
import os
import random
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groupstream import SourceError, StoreError, UsageError
from groupstream.stores import LocalStore, open_store
from groupstream.testing import FaultyServer, FolderServer, GcsServer, Proxy
from sources import CommaSeparated, Idx, JsonLines, Source, Text, WikiExtractor
from sources.files import FilePart, SourceFile, find_files, opened, seekable
from sources.lines import spans_of_lines, whole_lines
from sources.source_file import _store

# Google's client lets go of some failed answers unread.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@dataclass
class Elsewhere:
    """A place for files, and the server that stands for it."""

    kind: str
    root: str
    server: FaultyServer
    folder: Path | None = None  # that a web server serves

    def __post_init__(self) -> None:
        self.store = LocalStore(self.folder) if self.folder else open_store(self.root)

    def put(self, path: str, content: bytes) -> SourceFile:
        self.store.delete(path)
        assert self.store.put_if_absent(path, content)
        return find_files([f"{self.root}/{quote(path) if self.folder else path}"])[0]


def _gcs(tmp_path: Path, request: Any, setenv: Callable[[str, str], None]) -> Elsewhere:
    server = GcsServer("bucket")
    setenv("STORAGE_EMULATOR_HOST", server.url)
    return Elsewhere("gcs", "gs://bucket/data", server)


def _s3(tmp_path: Path, request: Any, setenv: Callable[[str, str], None]) -> Elsewhere:
    server = Proxy(request.getfixturevalue("moto_url"))
    names = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in (names | {"AWS_ENDPOINT_URL": server.url}).items():
        setenv(name, value)
    bucket = f"bucket-{random.Random(str(tmp_path)).getrandbits(64):x}"
    import boto3

    client = boto3.session.Session().client("s3")
    client.create_bucket(Bucket=bucket)
    client.close()
    return Elsewhere("s3", f"s3://{bucket}/data", server)


def _http(tmp_path: Path, request: Any, setenv: Callable[[str, str], None]) -> Elsewhere:
    server = FolderServer(tmp_path)
    return Elsewhere("http", f"{server.url}/data", server, tmp_path / "data")


_MAKERS = {"gcs": _gcs, "http": _http, "s3": _s3}
_KINDS = [pytest.param(kind, marks=pytest.mark.integration if kind == "s3" else ()) for kind in _MAKERS]
_BUCKETS = pytest.mark.parametrize("elsewhere", [_KINDS[0], _KINDS[2]], indirect=True)
_GCS = pytest.mark.parametrize("elsewhere", ["gcs"], indirect=True)
_HTTP = pytest.mark.parametrize("elsewhere", ["http"], indirect=True)


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture(params=_KINDS)
def elsewhere(request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Elsewhere]:
    for name in list(os.environ):
        if name.startswith(("AWS_", "GOOGLE_", "STORAGE_")):
            monkeypatch.delenv(name)
    gc.freeze()  # so that the collection at the end passes over what other tests have loaded
    place = _MAKERS[request.param](tmp_path, request, monkeypatch.setenv)
    yield place
    place.server.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        _store.cache_clear()
        gc.collect()
    gc.unfreeze()


_LINES = [f"line {i} é" for i in range(3_000)]
_CONTENT: dict[str, bytes] = {
    "x.csv": ("a,b\r\n" + "".join(f'{i},"{line}\n"\r\n' for i, line in enumerate(_LINES))).encode(),
    "x.jsonl": "".join(json.dumps({"a": line}) + "\n" for line in _LINES).encode(),
    "x.txt": "\r\n".join(_LINES).encode(),
    "x.wiki": "".join(f'<doc id="{i}" url="u" title="T">\n{line}\n</doc>\n' for i, line in enumerate(_LINES)).encode(),
}
_CONTENT |= {f"{name}.gz": gzip.compress(content) for name, content in _CONTENT.items()}
_SOURCE: dict[str, type[Source]] = {
    "csv": CommaSeparated,
    "jsonl": JsonLines,
    "txt": Text,
    "wiki": WikiExtractor,
}


def _source(address: str) -> Source:
    return _SOURCE[address.rpartition("/")[2].split(".")[1]].model_validate({"paths": [address]})


@pytest.mark.parametrize("name", list(_CONTENT))
def test_a_file_elsewhere_reads_as_one_here(name: str, elsewhere: Elsewhere, write: Any, read_rows: Any) -> None:
    address = elsewhere.put(f"a b/ä%41?/{name}", _CONTENT[name]).address
    here, there = _source(write(name, _CONTENT[name])), _source(address)
    assert len(read_rows(there)) == 3_000
    assert read_rows(there) == read_rows(here)
    assert [piece.label for piece in there.pieces()] == [piece.label for piece in here.pieces()]
    same = there.identity() == here.identity()
    assert same == (elsewhere.kind != "s3")  # S3 knows an ETag instead of the CRC32C


def test_idx_files_are_read_elsewhere(elsewhere: Elsewhere, read_rows: Any) -> None:
    images = b"\0\0\x08\3" + b"".join(n.to_bytes(4, "big") for n in (4, 2, 3)) + bytes(range(24))
    elsewhere.put("images", images)
    elsewhere.put("labels.gz", gzip.compress(b"\0\0\x08\1" + (4).to_bytes(4, "big") + b"\x07\1\2\3"))
    source = Idx(images=[f"{elsewhere.root}/images"], labels=[f"{elsewhere.root}/labels.gz"])
    assert [row["label"] for row in read_rows(source)] == [7, 1, 2, 3]


@pytest.mark.parametrize("name", [name for name in _CONTENT if name.endswith(".gz")])
def test_a_compressed_file_cut_short_is_refused(name: str, elsewhere: Elsewhere, refusal: Any) -> None:
    elsewhere.put(name, _CONTENT[name][:-9])
    message = str(refusal(_source(f"{elsewhere.root}/{name}")))
    assert f"cannot read {elsewhere.root}/{name} ({len(_CONTENT[name]) - 9:,} bytes): " in message
    elsewhere.put(f"2{name}", b"")
    assert "an empty file" in str(refusal(_source(f"{elsewhere.root}/2{name}")))


_FILES = [
    "a.csv",
    "b.csv",
    "b.csv.gz",
    "c[1].csv",
    "d/a.csv",
    "d/e/f/a.csv",
    ".h.csv",
    ".h/a.csv",
    "d/.h/a.csv",
    "z*.c",
]


_PATTERNS = (
    "* ** *.csv ?.csv [ab].csv [!a].csv [a-c]* c[1].csv c[[]1].csv []a].csv [.csv b.csv* z*.c z[*].c "
    "d[!x]a.csv d?a.csv **/a.csv d/** **/*.csv d/*/f/*.csv */*.csv d/**/e/**/a.csv"
)


@_BUCKETS
def test_patterns_find_in_a_bucket_what_they_find_here(elsewhere: Elsewhere, tmp_path: Path) -> None:
    for name in _FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
        elsewhere.store.put_if_absent(name, b"x")

    def found(root: str, pattern: str) -> list[str] | str:
        try:
            return [file.address.removeprefix(root) for file in find_files([f"{root}{pattern}"])]
        except SourceError as error:
            return "names no file" if "names no file" in str(error) else str(error)

    for pattern in _PATTERNS.split():
        assert found(f"{elsewhere.root}/", pattern) == found(f"{tmp_path}/", pattern), pattern


@_BUCKETS
def test_only_the_folder_that_a_pattern_names_is_listed(elsewhere: Elsewhere) -> None:
    for name in ("a/b/1.csv", "a/b/2.csv", "c/3.csv"):
        elsewhere.put(name, b"x")
    elsewhere.server.requests.clear()
    found = find_files([f"{elsewhere.root}/a/b/*.csv", f"{elsewhere.root}/a/b/2.csv"])
    assert [file.address for file in found] == [f"{elsewhere.root}/a/b/{i}.csv" for i in (1, 2)]
    assert sum("prefix=data%2Fa%2Fb%2F&" in f"{r.path}&" for r in elsewhere.server.requests) == 1
    assert len(elsewhere.server.requests) == 3  # the pattern may be a name; the list; the second file


@_BUCKETS
def test_a_bucket_without_such_files_is_told(elsewhere: Elsewhere) -> None:
    elsewhere.put("d/a.csv", b"x")
    for pattern, what in {
        "x.csv": "names no file. Check source.paths",
        "*.csv": "names no file. Check source.paths",
        "d": f"is a folder; name its files, such as {elsewhere.root}/d/*. Check",
        "d/": f"is a folder; name its files, such as {elsewhere.root}/d/*. Check",
    }.items():
        with pytest.raises(SourceError) as caught:
            find_files([f"{elsewhere.root}/{pattern}"])
        assert f"source path '{elsewhere.root}/{pattern}' {what}" in str(caught.value)


@_HTTP
def test_a_web_server_lists_nothing(elsewhere: Elsewhere) -> None:
    with pytest.raises(SourceError, match=r"a web server does not list its files; name each one\. Check source\.paths"):
        find_files([f"{elsewhere.root}/*.csv"])
    with pytest.raises(SourceError, match=r"names no file\. Check source\.paths"):
        find_files([f"{elsewhere.root}/a.csv"])
    with pytest.raises(UsageError, match="there is no store for ftp"):
        find_files(["ftp://host/a.csv"])


@_HTTP
def test_files_of_several_places_have_distinct_names(elsewhere: Elsewhere, write: Any, read_rows: Any) -> None:
    elsewhere.put("x.txt", b"there\n")
    source = Text(paths=[f"{elsewhere.root}/x.txt", str(Path(write("x.txt", "here\n")).absolute())])
    rows = read_rows(source)
    assert sorted(row["text"] for row in rows) == ["here", "there"]
    assert len({row["path"] for row in rows}) == 2


def test_parts_of_a_file_are_cut_as_here_and_read_little_more_than_themselves(elsewhere: Elsewhere) -> None:
    content = b"".join(b"%d\n" % i * (i % 50) for i in range(8_000))
    file = elsewhere.put("x.txt", content)
    elsewhere.server.requests.clear()
    parts = [FilePart(file, "x", start, end) for start, end in spans_of_lines(file, 200_000)]
    found = [b"".join(block for _, block in whole_lines(part, 10_000)) for part in parts]
    assert len(parts) > 3
    assert b"".join(found) == content
    ranges = [request.range for request in elsewhere.server.requests]
    assert len(ranges) == len(parts)
    for part, asked in zip(parts, ranges, strict=True):
        first, last = map(int, str(asked).removeprefix("bytes=").split("-"))
        assert first == max(0, part.start - 1)
        assert last < (part.end or len(content)) + (1 << 16)


def test_a_stream_of_many_blocks_is_whole(elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sources.opening._STREAM_BLOCK_BYTES", 100_000)
    content = random.Random(1).randbytes(1_234_567)
    file = elsewhere.put("x", content)
    with opened(file) as stream:
        assert b"".join(iter(lambda: stream.read(70_001), b"")) == content
    with opened(file, 300_001, 400_000) as stream:
        assert stream.read() == content[300_001:]
    with opened(file) as stream:
        assert stream.read(10) == content[:10]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reads=st.lists(st.tuples(st.integers(0, 100_010), st.integers(0, 30_000)), min_size=1, max_size=20))
@_GCS
def test_a_file_that_is_read_here_and_there_gives_its_bytes(elsewhere: Elsewhere, reads: list[tuple[int, int]]) -> None:
    content = random.Random(2).randbytes(100_000)
    if not elsewhere.store.stat("x"):
        elsewhere.put("x", content)
    with seekable(find_files([f"{elsewhere.root}/x"])[0], block_bytes=7_000) as file:
        assert file.size() == 100_000
        for offset, length in reads:
            file.seek(offset)
            assert file.read(length) == content[offset : offset + length]
            assert file.tell() == offset + len(content[offset : offset + length])


def test_parquet_is_read_in_ranges(elsewhere: Elsewhere) -> None:
    table = pa.table({"a": range(300_000), "b": [str(i) * 3 for i in range(300_000)]})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=100_000)
    file = elsewhere.put("x.parquet", sink.getvalue().to_pybytes())
    elsewhere.server.requests.clear()
    with seekable(file, block_bytes=1 << 16) as native:
        found = pq.ParquetFile(native)
        assert found.read_row_group(1, columns=["a"]).equals(table.slice(100_000, 100_000).select(["a"]))
    sizes = [int(b) - int(a) + 1 for r in elsewhere.server.requests for a, b in [str(r.range)[6:].split("-")]]
    assert sum(sizes) < file.size_bytes / 2
    with seekable(file) as native:
        assert pq.read_table(native).equals(table)


@pytest.mark.parametrize("fault", ["refuse", "cut", "lose"])
@pytest.mark.parametrize("name", ["x.jsonl", "x.csv.gz"])
def test_what_fails_in_passing_changes_nothing(
    name: str, fault: str, elsewhere: Elsewhere, write: Any, read_rows: Any
) -> None:
    elsewhere.put(name, _CONTENT[name])
    source = _source(f"{elsewhere.root}/{name}")
    features, pieces = source.available_features(), source.pieces()
    getattr(elsewhere.server.faults, fault)(method="GET")
    rows = [row for batch in source.read(pieces[0], features, frozenset()) for row in batch.columns.to_pylist()]
    assert not len(elsewhere.server.faults)
    assert rows == read_rows(_source(write(name, _CONTENT[name])))


@pytest.mark.integration
@pytest.mark.parametrize("fault", ["refuse", "cut"])
@_HTTP
def test_what_goes_on_failing_is_one_line(fault: str, elsewhere: Elsewhere) -> None:
    elsewhere.put("x.csv.gz", _CONTENT["x.csv.gz"])
    source = _source(f"{elsewhere.root}/x.csv.gz")
    features, pieces = source.available_features(), source.pieces()
    getattr(elsewhere.server.faults, fault)(times=100)
    with pytest.raises(StoreError, match=rf"^cannot read {elsewhere.root}/x.csv.gz: .*[Tt]ry again") as caught:
        list(source.read(pieces[0], features, frozenset()))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["x.jsonl", "x.csv", "x.txt.gz"])
def test_a_file_that_is_gone_changed_or_shorter_is_refused(name: str, elsewhere: Elsewhere) -> None:
    content = _CONTENT[name]
    elsewhere.put(name, content)
    source = _source(f"{elsewhere.root}/{name}")
    features, pieces = source.available_features(), source.pieces()

    def message() -> str:
        with pytest.raises(SourceError) as caught:
            list(source.read(pieces[0], features, frozenset()))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    where = f"{elsewhere.root}/{name}"
    elsewhere.put(name, content[:-200])
    assert f"{where} ends at byte {len(content) - 200:,}, it had {len(content):,} when it was found" in message()
    if elsewhere.kind == "gcs":
        elsewhere.put(name, content.replace(b"9", b"8") if name.endswith("l") else content[:-1] + b"\1")
        assert f"{where} has CRC32C " in message() or name.endswith(".gz")
    elsewhere.store.delete(name)
    assert f"cannot read {where} ({len(content):,} bytes): it is not there any more. Fetch" in message()


@_BUCKETS
def test_what_is_not_allowed_says_how_to_sign_in(elsewhere: Elsewhere) -> None:
    denied = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>no</Message></Error>'
    elsewhere.server.faults.refuse(times=100, status=403, body=denied)
    with pytest.raises(StoreError, match=r"permission denied .*Sign in with: "):
        find_files([f"{elsewhere.root}/*.csv"])


@_GCS
def test_clients_are_shared_by_the_files_of_a_bucket(elsewhere: Elsewhere) -> None:
    for number in range(20):
        elsewhere.put(f"{number}.txt", b"x\n")
    elsewhere.server.requests.clear()
    source = Text(paths=[f"{elsewhere.root}/*.txt"])
    features = source.available_features()
    before = _store.cache_info().misses
    batches = itertools.chain.from_iterable(source.read(piece, features, frozenset()) for piece in source.pieces())
    assert sum(batch.num_examples for batch in batches) == 20
    assert _store.cache_info().misses == before
    assert sum(request.range is None and "alt=media" in request.path for request in elsewhere.server.requests) == 20


@_GCS
def test_little_of_a_large_file_is_fetched_to_know_its_features(elsewhere: Elsewhere) -> None:
    elsewhere.put("x.csv", b"a,b\n" + b"1,2\n" * (5 << 20))
    elsewhere.put("x.jsonl", b'{"a": 1, "b": 2}\n' * (2 << 20))
    for name, most in {"x.csv": 1 << 17, "x.jsonl": (8 << 20) + (1 << 16)}.items():
        elsewhere.server.requests.clear()
        assert list(_source(f"{elsewhere.root}/{name}").available_features()) == ["a", "b"]
        ends = [int(str(request.range).rpartition("-")[2]) for request in elsewhere.server.requests if request.range]
        assert 0 < max(ends) < most


def test_names_of_files_are_those_of_a_copy_here(elsewhere: Elsewhere, write: Any, tmp_path: Path) -> None:
    found = [elsewhere.put(name, b"x\n") for name in ("d é/50%.txt", "e/x.txt")]
    for folder in ("d é", "e"):
        (tmp_path / folder).mkdir()
    here = [write(name, "x\n") for name in ("d é/50%.txt", "e/x.txt")]
    there = Text(paths=[file.address for file in found])
    assert [piece.label for piece in there.pieces()] == here
    if elsewhere.kind != "s3":
        assert there.identity() == Text(paths=here).identity()
