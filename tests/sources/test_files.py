"""Finding, naming and opening the files of a source."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from groupstream import SourceError, SpecError
from sources import CommaSeparated, JsonLines, Text, WikiExtractor
from sources.files import find_files, local_file, names_of, seekable

_LINES = "".join(f"{i}\n" for i in range(5_000))
_CONTENT = {
    CommaSeparated: "a\n" + _LINES,
    JsonLines: "".join(f'{{"a": {i}}}\n' for i in range(5_000)),
    WikiExtractor: f'<doc id="1" url="u" title="T">\n{_LINES}</doc>\n',
}
_KINDS = pytest.mark.parametrize("kind", list(_CONTENT), ids=lambda kind: kind.__name__)


def _compress(content: bytes, suffix: str) -> bytes:
    if suffix == ".gz":
        return gzip.compress(content)
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


@_KINDS
@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_compressed_file_reads_as_the_plain_one(kind: Any, suffix: str, write: Any, read_rows: Any) -> None:
    plain = kind(paths=[write("plain", _CONTENT[kind])])
    packed = kind(paths=[write(f"packed{suffix}", _compress(_CONTENT[kind].encode(), suffix))])
    assert read_rows(packed) == read_rows(plain)


@_KINDS
@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_compressed_file_cut_at_any_length_is_refused(kind: Any, suffix: str, write: Any, refusal: Any) -> None:
    packed = _compress(_CONTENT[kind].encode(), suffix)
    for length in (0, 1, 10, 100, len(packed) // 2, len(packed) - 9, len(packed) - 8, len(packed) - 1):
        error = refusal(kind(paths=[write(f"cut{suffix}", packed[:length])]))
        assert isinstance(error, SourceError)
        assert f"cut{suffix} ({length:,} bytes)" in str(error)
        assert "Fetch the file again" in str(error)


@_KINDS
def test_gzip_with_a_wrong_byte_is_refused(kind: Any, write: Any, refusal: Any) -> None:
    packed = bytearray(_compress(_CONTENT[kind].encode(), ".gz"))
    packed[-6] ^= 1  # of the checksum
    assert "incorrect data check" in str(refusal(kind(paths=[write("bad.gz", bytes(packed))])))


@_KINDS
def test_plain_file_named_gz_is_refused(kind: Any, write: Any, refusal: Any) -> None:
    assert "cannot read" in str(refusal(kind(paths=[write("plain.gz", _CONTENT[kind])])))


@_KINDS
@pytest.mark.parametrize("text", [b"\xe9", b"ab\xff\xfe"])
def test_text_that_is_not_utf8_is_refused_with_its_place(kind: Any, text: bytes, write: Any, refusal: Any) -> None:
    content = {
        CommaSeparated: b"a\ngood\n" + text,
        JsonLines: b'{"a": "good"}\n{"a": "' + text + b'"}',
        WikiExtractor: b'<doc id="1" url="u" title="T">\n' + text + b"\n</doc>",
    }[kind]
    message = str(refusal(kind(paths=[write("latin1", content)])))
    assert "latin1" in message
    assert "UTF-8 text" in message
    assert {CommaSeparated: "latin1, row 2", JsonLines: "latin1, line 2", WikiExtractor: "latin1"}[kind] in message


def test_missing_file_is_refused_with_where_it_was_sought(write: Any, refusal: Any) -> None:
    write("here.csv", "a\n")
    message = str(refusal(CommaSeparated(paths=["here.csv", "ther*.csv"])))
    assert message == f"source path 'ther*.csv' names no file, seen from {Path.cwd()}. Check source.paths"


def test_folder_is_refused_with_the_pattern_to_write(write: Any, refusal: Any) -> None:
    Path("folder/sub").mkdir(parents=True) if write("x", "") else None
    assert "'folder/' is a folder; name its files, such as folder/*." in str(refusal(JsonLines(paths=["folder/"])))
    assert "'fold*' is a folder" in str(refusal(JsonLines(paths=["fold*"])))


def test_files_are_sorted_and_each_is_there_once(write: Any) -> None:
    for name in ("b.csv", "a.csv", "c[1].csv"):
        write(name, "")
    found = find_files(["b.csv", "*.csv", str(Path("a.csv").absolute()), "c[1].csv"])
    assert [file.name for file in found] == ["a.csv", "b.csv", "c[1].csv"]


def test_file_is_found_by_a_name_that_is_a_pattern_too(write: Any) -> None:
    write("c[1].csv", "")
    assert [file.name for file in find_files(["c[1].csv"])] == ["c[1].csv"]


def test_link_keeps_its_own_name(write: Any) -> None:
    write("blob", "a\n1\n")
    Path("link.csv").symlink_to("blob")
    assert find_files(["link.csv"]) == [local_file("link.csv")]
    assert find_files(["link.csv"])[0].address == str(Path("link.csv").absolute())


def test_any_folders_are_not_those_that_links_lead_to(write: Any) -> None:
    for folder in ("v1/deep[1]/er", "v1/.hidden", "other"):
        Path(folder).mkdir(parents=True)
    for name in ("top.txt", "v1/a.txt", "v1/deep[1]/b.txt", "v1/deep[1]/er/c.txt", "v1/.hidden/d.txt", "other/e.txt"):
        write(name, "x\n")
    for link, target in (("v1/loop", "."), ("v1/up", ".."), ("current", "v1"), ("v1/e.txt", "../other/e.txt")):
        Path(link).symlink_to(target)

    def found(*patterns: str) -> list[str]:
        return [str(Path(file.address).relative_to(Path.cwd())) for file in find_files(patterns)]

    inside = ["v1/a.txt", "v1/deep[1]/b.txt", "v1/deep[1]/er/c.txt", "v1/e.txt"]
    assert found("v1/**/*.txt") == found("v1/**") == found("v1/**/**/*.txt") == inside
    assert found("**/*.txt") == found(f"{Path.cwd()}/**/*.txt") == ["other/e.txt", "top.txt", *inside]
    assert found("**/er/**/*.txt") == inside[2:3]
    assert found("current/**/*.txt") == [name.replace("v1", "current") for name in inside]
    assert found("v1/**/.hidden/*.txt") == ["v1/.hidden/d.txt"]


def test_name_that_is_not_utf8_is_refused(write: Any, refusal: Any) -> None:
    try:
        Path("\udcff.txt").write_text("x\n")
    except OSError:
        pytest.skip("the file system takes no such name")
    message = str(refusal(Text(paths=["*.txt"])))
    assert message == "the name of '\\udcff.txt' is not UTF-8, by which files are named. Rename it"


def test_names_begin_below_the_common_folder() -> None:
    assert names_of([Path("/data/x/a/1"), Path("/data/x/b/1")]) == ["a/1", "b/1"]
    assert names_of([Path("/data/x/a")]) == ["a"]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (CommaSeparated, {}),
        (JsonLines, {}),
        (WikiExtractor, {}),
        (JsonLines, {"features": ["a"]}),
        (JsonLines, {"features": {"a": "int64"}}),
        (CommaSeparated, {"features": {"a": "int64", "group": {"from": "file"}}}),
        (JsonLines, {"features": {"a": "int64", "group": {"from": "file", "dtype": "bytes"}}}),
    ],
)
def test_name_of_the_file_is_a_feature_where_it_is_asked_for(
    kind: Any, fields: Any, write: Any, read_rows: Any
) -> None:
    for name in ("sub", "dir/one"):
        (Path(write("x", "")).parent / name).parent.mkdir(exist_ok=True)
        write(name, _CONTENT[kind])
    source = kind(paths=["sub", "dir/*"], path_feature="file", **fields)
    name = "group" if isinstance(fields.get("features"), dict) and "group" in fields["features"] else "file"
    found = Counter(row[name] for row in read_rows(source))
    each = 1 if kind is WikiExtractor else 5_000
    expected = {"dir/one": each, "sub": each}
    assert found == ({key.encode(): n for key, n in expected.items()} if bytes in map(type, found) else expected)
    assert list(source.available_features())[-1] == name


def test_name_of_the_file_may_not_hide_a_feature(write: Any, refusal: Any) -> None:
    error = refusal(CommaSeparated(paths=[write("x.csv", "a,b\n1,2\n")], path_feature="b"))
    assert isinstance(error, SpecError)
    assert str(error) == "source.path_feature 'b' is the name of a feature of the files; choose another one"


def test_identity_does_not_depend_on_the_name_of_the_file_as_a_feature(write: Any) -> None:
    fields = {"paths": [write("x.csv", "a\n1\n")]}
    assert CommaSeparated(**fields).identity() == CommaSeparated(**fields, path_feature="file").identity()


def test_file_that_vanishes_is_told(write: Any) -> None:
    for kind, content in _CONTENT.items():
        source = kind(paths=[write("x", content)])
        features, pieces = source.available_features(), source.pieces()
        Path("x").unlink()
        with pytest.raises(SourceError, match=r"cannot read .*/x \([0-9,]+ bytes\): it is not there any more\. Fetch"):
            list(source.read(pieces[0], features, frozenset()))


def test_many_small_files_are_found_and_named_at_once(write: Any, read_rows: Any) -> None:
    for number in range(500):
        write(f"{number:04}.txt", f"{number}\n")
    source = Text(paths=["*.txt"], features=["text"])
    assert len(source.pieces()) == 500
    assert [row["text"] for row in read_rows(source)] == [str(number) for number in range(500)]


@pytest.mark.parametrize("size", [0, 1, 5_000])
def test_file_is_read_here_and_there(size: int, write: Any) -> None:
    content = bytes(range(256)) * 20
    write("x", content[:size])
    file = local_file("x")
    with seekable(file) as native:
        native.seek(size // 2)
        assert native.read() == content[size // 2 : size]
    assert file.read() == content[:size]
    assert file.read(3, 10) == content[3 : min(13, size)]
