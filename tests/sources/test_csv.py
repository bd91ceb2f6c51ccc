"""CSV files."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from groupstream import ExampleError, SourceError, SpecError
from sources import CommaSeparated


def _csv(name: str, **fields: Any) -> CommaSeparated:
    return CommaSeparated(paths=[name], **fields)


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("a,b\n1,2\n3,4\n", [("1", "2"), ("3", "4")]),
        ("a,b\n1,2\n3,4", [("1", "2"), ("3", "4")]),
        ("a,b\r\n1,2\r\n3,4\r\n", [("1", "2"), ("3", "4")]),
        ("\ufeffa,b\r\n1,2\r\n", [("1", "2")]),
        ('a,b\n"x\ny","p\r\nq"\n', [("x\ny", "p\r\nq")]),
        ('a,b\n"he said ""no"", twice",\n', [('he said "no", twice', "")]),
        ('"a","b"\n5" pipe,x\n', [('5" pipe', "x")]),
        ("a,b\n,\n\n NA,null\n", [("", ""), (" NA", "null")]),
        ("a,b\né,😀\n", [("é", "😀")]),
        ("a,b\n", []),
        ("a,b", []),
    ],
)
def test_csv_is_read_as_rfc_4180_has_it(content: str, rows: list[tuple[str, str]], write: Any, read_rows: Any) -> None:
    source = _csv(write("x.csv", content))
    assert list(source.available_features()) == ["a", "b"]
    assert [tuple(row.values()) for row in read_rows(source)] == rows


_FIELDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(st.tuples(_FIELDS, _FIELDS), max_size=20))
def test_csv_gives_back_what_a_csv_writer_wrote(rows: list[tuple[str, str]], tmp_path_factory: Any) -> None:
    import csv

    file = tmp_path_factory.mktemp("csv") / "x.csv"
    with open(file, "w", newline="", encoding="utf-8") as handle:
        csv.writer(handle, quoting=csv.QUOTE_ALL).writerows([("a", "b"), *rows])
    source = _csv(str(file), max_row_bytes=1 << 10)
    batches = source.read(source.pieces()[0], source.available_features(), frozenset())
    assert [tuple(row.values()) for batch in batches for row in batch.columns.to_pylist()] == rows


@pytest.mark.parametrize("delimiter", ["§", '"', "\n", "\r", "\0"])
def test_what_cannot_delimit_is_refused_when_the_spec_is_read(delimiter: str) -> None:
    with pytest.raises(ValidationError, match="write one ASCII character that is neither a double quote nor a newline"):
        _csv("x.csv", delimiter=delimiter)


def test_delimiter_is_what_the_spec_says(write: Any, read_rows: Any) -> None:
    assert read_rows(_csv(write("x.tsv", "a\tb\n1,2\t3\n"), delimiter="\t")) == [{"a": "1,2", "b": "3"}]


def test_list_of_features_chooses_and_orders_them(write: Any, read_rows: Any) -> None:
    rows = read_rows(_csv(write("x.csv", "a,b,c\n1,2,3\n"), features=["c", "a"]))
    assert [list(row.items()) for row in rows] == [[("c", "3"), ("a", "1")]]


def test_declared_types_are_cast_to(write: Any, read_rows: Any) -> None:
    write("x.csv", "a,b,c,d,e\n-7,true,1.5,é,z\n")
    features = {"a": "int8", "b": "bool", "c": "float32", "d": "bytes"}
    assert read_rows(_csv("x.csv", features=features)) == [{"a": -7, "b": True, "c": 1.5, "d": "é".encode()}]


@pytest.mark.parametrize(
    ("dtype", "value", "shown"), [("int64", "three", "'three'"), ("int8", "300", "'300'"), ("bool", "", "''")]
)
def test_value_that_does_not_cast_is_named_with_its_row(
    dtype: str, value: str, shown: str, write: Any, refusal: Any
) -> None:
    write("good.csv", "a,b\n1,x\n")
    write("later.csv", 'a,b\n1,"x\n\ny"\n' + "0,x\n" * 7_000 + f"{value},y\n1,z\n")
    source = CommaSeparated(paths=["good.csv", "later.csv"], features={"a": dtype}, max_row_bytes=1 << 10)
    error = refusal(source)
    assert isinstance(error, ExampleError)
    assert str(error).startswith(f"later.csv, row 7002: a is {shown}, which is no {dtype}. ")
    assert "source.features" in str(error)


@pytest.mark.parametrize(("row", "found"), [("3", 1), ("3,4,5", 3), ('3,"4\n5",6', 3)])
def test_row_of_another_length_is_named(row: str, found: int, write: Any, refusal: Any) -> None:
    content = 'a,b\n"x\ny",2\n' + "1,2\n" * 3_000 + f"{row}\n1,2\n"
    error = refusal(_csv(write("x.csv", content), max_row_bytes=1 << 10))
    assert isinstance(error, SourceError)
    assert f"x.csv, row 3002: {found} fields where the header has 2: {row!r}" in str(error)


@pytest.mark.parametrize("content", ["", "\n", "\n1,2\n"])
def test_missing_header_is_refused(content: str, write: Any, refusal: Any) -> None:
    assert "x.csv has no header line" in str(refusal(_csv(write("x.csv", content))))


def test_header_that_names_a_column_twice_is_refused(write: Any, refusal: Any) -> None:
    assert "the header names 'b' twice" in str(refusal(_csv(write("x.csv", "a,b,c,b\n1,2,3,4\n"))))


def test_header_that_is_not_utf8_is_refused(write: Any, refusal: Any) -> None:
    assert "the header line is not UTF-8 text" in str(refusal(_csv(write("x.csv", b"\xe9,b\n1,2\n"))))


def test_header_with_an_open_quote_is_refused(write: Any, refusal: Any) -> None:
    assert "the header line is broken" in str(refusal(_csv(write("x.csv", '"a,b\n1,2\n'))))


def test_column_without_a_name_is_refused_unless_it_is_left_out(write: Any, refusal: Any, read_rows: Any) -> None:
    write("x.csv", ",a\n0,1\n")  # as pandas writes its index
    assert isinstance(error := refusal(_csv("x.csv")), SpecError)
    assert "without a name; list the features to keep" in str(error)
    assert read_rows(_csv("x.csv", features=["a"])) == [{"a": "1"}]


@pytest.mark.parametrize("content", ["a,b\n1,{}\n3,4\n", "a,b\n1,2\n3,{}\n", "{},b\n1,2\n"])
def test_row_longer_than_the_limit_is_refused_with_the_limit(content: str, write: Any, refusal: Any) -> None:
    write("x.csv", content.format("z" * 5_000))
    message = str(refusal(_csv("x.csv", max_row_bytes=1 << 10)))
    assert "is longer than source.max_row_bytes, 1,024 bytes; raise that" in message


def test_row_longer_than_a_block_is_read_with_a_higher_limit(write: Any, read_rows: Any) -> None:
    write("x.csv", f'a,b\n1,"{"z" * 50_000}"\n3,4\n')
    assert [len(row["b"]) for row in read_rows(_csv("x.csv", max_row_bytes=1 << 16))] == [50_000, 1]


def test_columns_of_a_later_file_may_stand_in_another_order(write: Any, read_rows: Any) -> None:
    names = [write("1.csv", "a,b\n1,2\n"), write("2.csv", "b,a\n4,3\n")]
    assert read_rows(CommaSeparated(paths=names)) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


def test_column_that_a_later_file_lacks_or_adds_is_refused(write: Any, refusal: Any, read_rows: Any) -> None:
    first, more, less = write("1.csv", "a,b\n1,2\n"), write("2.csv", "a,b,c\n3,4,5\n"), write("3.csv", "a\n6\n")
    assert "2.csv, header: c appears here but not at the beginning" in str(refusal(CommaSeparated(paths=[first, more])))
    assert "3.csv, row 1: feature 'b' is not there; it has a" in str(refusal(CommaSeparated(paths=[first, less])))
    assert len(read_rows(CommaSeparated(paths=[first, more], features=["a", "b"]))) == 2


def test_unknown_feature_is_refused_with_the_nearest(write: Any, refusal: Any) -> None:
    error = refusal(_csv(write("x.csv", "url,text\n"), features=["ulr"]))
    assert isinstance(error, SpecError)
    assert str(error) == (
        "source.features names 'ulr', which the source does not have; did you mean 'url'? it has text, url"
    )


def test_feature_named_group_id_is_refused(write: Any, refusal: Any) -> None:
    assert "named 'group_id', which every stored record has already" in str(refusal(_csv(write("x.csv", "group_id\n"))))


def test_file_is_read_in_blocks(write: Any) -> None:
    source = _csv(write("x.csv", "a\n" + "0123456789\n" * 10_000), max_row_bytes=1 << 10)
    sizes = [len(b.columns) for b in source.read(source.pieces()[0], source.available_features(), frozenset())]
    assert sum(sizes) == 10_000
    assert max(sizes) * 11 <= 2 << 10


def test_newlines_in_fields_do_not_end_a_row_where_a_block_ends(write: Any, read_rows: Any) -> None:
    write("x.csv", "a,b\n" + '"1\n2\n\n3",x\n' * 2_000)
    assert read_rows(_csv("x.csv", max_row_bytes=1 << 10)) == [{"a": "1\n2\n\n3", "b": "x"}] * 2_000
