"""Plain text by line, paragraph and file."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groupstream import ExampleError, SourceError
from groupstream.features import Feature
from groupstream.testing import FolderServer
from sources import Text
from sources.files import FilePart, find_files, local_file
from sources.lines import spans_of_lines, whole_lines
from sources.paragraphs import iter_paragraphs


def _texts(read_rows: Any, name: str, **fields: Any) -> list[str]:
    return [row["text"] for row in read_rows(Text(paths=[name], **fields))]


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ("a\nb\n", ["a", "b"]),
        ("a\nb", ["a", "b"]),
        ("a\r\nb\r\n", ["a", "b"]),
        ("\ufeffa\nb", ["a", "b"]),
        ("\n\na\n \t\r\n\nb\n\n", ["a", "b"]),
        (" a \n\tb", [" a ", "\tb"]),
        ("a\rb\u2028c\x0bd\ne\r", ["a\rb\u2028c\x0bd", "e\r"]),
        ("é\n😀\n", ["é", "😀"]),
        ("", []),
        ("\n\n", []),
        (" ", []),
    ],
)
def test_lines_are_examples_but_for_blank_ones(content: str, texts: list[str], write: Any, read_rows: Any) -> None:
    assert _texts(read_rows, write("x.txt", content)) == texts


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ("a\nb\n\nc\n", ["a\nb", "c"]),
        ("a\nb\n\nc", ["a\nb", "c"]),
        ("a\r\nb\r\n\r\nc\r\n", ["a\nb", "c"]),
        ("\ufeffa\n\n\n \t\n\nb\n\n", ["a", "b"]),
        ("\n\n  a\n  b  \n\n\n\n", ["  a\n  b  "]),
        ("a\n\n   ", ["a"]),
        ("A:\nx\n\nB:\n\nC:\ny", ["A:\nx", "B:", "C:\ny"]),
        ("", []),
        ("\n", []),
    ],
)
def test_paragraphs_are_what_stands_between_blank_lines(
    content: str, texts: list[str], write: Any, read_rows: Any
) -> None:
    assert _texts(read_rows, write("x.txt", content), examples="paragraph") == texts


@pytest.mark.parametrize(
    ("content", "text"), [("a\n\nb\r\n", "a\n\nb\n"), ("\ufeffa", "a"), ("", ""), (" \r\n", " \n"), ("é\r", "é\r")]
)
def test_a_file_is_an_example_as_it_is_but_for_the_ends_of_lines(
    content: str, text: str, write: Any, read_rows: Any
) -> None:
    assert _texts(read_rows, write("x.txt", content), examples="file") == [text]


def test_path_is_below_the_folder_that_all_files_share(write: Any, read_rows: Any) -> None:
    for folder in ("a", "b"):
        Path(write("x", "")).with_name(folder).mkdir()
        write(f"{folder}/1.md", f"of {folder}\n")
    source = Text(paths=["*/*.md"])
    assert source.available_features() == {"text": Feature(dtype="string"), "path": Feature(dtype="string")}
    assert read_rows(source) == [{"text": "of a", "path": "a/1.md"}, {"text": "of b", "path": "b/1.md"}]
    assert [piece.label for piece in source.pieces()] == ["a/1.md", "b/1.md"]


@pytest.mark.parametrize(
    ("fields", "row"),
    [
        ({"path_feature": None}, {"text": "a"}),
        ({"path_feature": "book"}, {"text": "a", "book": "x.txt"}),
        ({"features": ["text"]}, {"text": "a", "path": "x.txt"}),
        ({"features": {"words": {"from": "text"}, "book": {"from": "path"}}}, {"words": "a", "book": "x.txt"}),
        ({"features": {"text": "bytes"}, "path_feature": None}, {"text": b"a"}),
    ],
)
def test_features_are_chosen_and_named(fields: dict[str, Any], row: dict[str, Any], write: Any, read_rows: Any) -> None:
    assert read_rows(Text(paths=[write("x.txt", "a\n")], **fields)) == [row]


@pytest.mark.parametrize("examples", ["line", "paragraph", "file"])
def test_text_that_is_not_utf8_is_refused_with_its_place(examples: Any, write: Any, refusal: Any) -> None:
    error = refusal(Text(paths=[write("x.txt", b"good\n\n\xe9t\xe9\n")], examples=examples))
    assert isinstance(error, ExampleError)
    assert f"x.txt, example {1 if examples == 'file' else 2}: text is b'" in str(error)
    assert "which is no UTF-8 text" in str(error)


@pytest.mark.parametrize("examples", ["line", "paragraph", "file"])
def test_compressed_file_reads_as_the_plain_one(examples: Any, write: Any, read_rows: Any) -> None:
    content = "".join(f"line {i}\r\n" + "\r\n" * (i % 7 == 0) for i in range(5_000))
    plain = _texts(read_rows, write("x.txt", content), examples=examples)
    assert _texts(read_rows, write("x.gz", gzip.compress(content.encode())), examples=examples) == plain
    packed = gzip.compress(content.encode())
    write("cut.gz", packed[: len(packed) // 2])
    with pytest.raises(SourceError, match=r"cannot read .*cut\.gz"):
        _texts(read_rows, "cut.gz", examples=examples)


def test_many_lines_come_in_batches_of_ten_thousand(write: Any) -> None:
    source = Text(paths=[write("x.txt", "0123456789\n" * 25_000)])
    batches = source.read(source.pieces()[0], source.available_features(), frozenset())
    assert [batch.num_examples for batch in batches] == [10_000, 10_000, 5_000]


_LINES = st.lists(st.sampled_from(["", " ", "a", "bc", "\r", "é\t", "x" * 30]), max_size=40)
_CUT = {"part_bytes": st.integers(1, 50), "block_bytes": st.integers(1, 40)}


def _parts(file: Any, part_bytes: int) -> list[FilePart]:
    return [FilePart(file, "x", start, end) for start, end in spans_of_lines(file, part_bytes)]


@settings(max_examples=300, deadline=None)
@given(lines=_LINES, ends_with_newline=st.booleans(), **_CUT)
def test_parts_hold_every_line_once_and_whole(
    lines: list[str], ends_with_newline: bool, part_bytes: int, block_bytes: int, tmp_path_factory: Any
) -> None:
    content = ("\n".join(lines) + "\n" * ends_with_newline).encode()
    path = tmp_path_factory.mktemp("text") / "x"
    path.write_bytes(content)
    found = []
    for part in _parts(local_file(path), part_bytes):
        blocks = list(whole_lines(part, block_bytes))
        for offset, block in blocks:
            assert offset == sum(map(len, found))
            assert block.endswith(b"\n") or offset + len(block) == len(content)
            last_line = offset + block.rfind(b"\n", 0, -1) + 1
            assert part.start <= offset <= last_line < (part.end or len(content))
            found.append(block)
    assert b"".join(found) == content


@settings(max_examples=300, deadline=None)
@given(lines=_LINES, newline=st.sampled_from(["\n", "\r\n"]), **_CUT)
def test_parts_hold_every_paragraph_once_and_whole(
    lines: list[str], newline: str, part_bytes: int, block_bytes: int, tmp_path_factory: Any
) -> None:
    text = newline.join(lines)
    path = tmp_path_factory.mktemp("text") / "x"
    path.write_bytes(text.encode())
    file = local_file(path)
    found = [
        paragraph.decode()
        for part in _parts(file, part_bytes)
        for some in iter_paragraphs(part, block_bytes)
        for paragraph in some
    ]
    runs = itertools.groupby(text.replace("\r\n", "\n").split("\n"), lambda line: not line.strip())
    assert found == ["\n".join(some) for is_blank, some in runs if not is_blank]


def test_name_of_the_path_for_another_feature_is_refused(write: Any, refusal: Any, read_rows: Any) -> None:
    name, features = write("x.txt", "a\n"), {"path": {"from": "text"}}
    message = str(refusal(Text(paths=[name], features=features)))
    assert message.startswith("source.features gives the name 'path' to another feature, and source.path_feature")
    assert read_rows(Text(paths=[name], features=features, path_feature="file")) == [{"path": "a", "file": "x.txt"}]
    assert read_rows(Text(paths=[name], features=features, path_feature=None)) == [{"path": "a"}]


def test_a_part_in_which_no_paragraph_begins_is_not_read_beyond_its_end(tmp_path: Path) -> None:
    """Else each part of a large file without blank lines would read all that follows."""
    (tmp_path / "x").write_bytes(b"a line\n" * 100_000)
    with FolderServer(tmp_path) as server:
        (file,) = find_files([f"{server.url}/x"])
        middle = _parts(file, 7_000)[3]
        server.requests.clear()
        assert [text for some in iter_paragraphs(middle, 700) for text in some] == []
        ends = [int(str(request.range).rpartition("-")[2]) for request in server.requests]
    assert middle.end is not None and max(ends) < middle.end + (1 << 17)


@pytest.mark.parametrize("size", [0, 1, 64 << 20, 95 << 20, 97 << 20, 10 << 30])
def test_a_file_is_cut_by_its_size_alone(size: int) -> None:
    file = local_file(__file__)
    spans = spans_of_lines(type(file)("/x.txt", size))
    assert spans[0][0] == 0
    assert spans[-1][1] is None
    assert all(end == start for (_, end), (start, _) in itertools.pairwise(spans))
    assert len(spans) == max(1, round(size / (64 << 20)))
    assert spans_of_lines(type(file)("/x.txt.gz", size)) == [(0, None)]
