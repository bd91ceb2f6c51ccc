"""Lines of JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groupstream import ExampleError, Feature, SourceError, SpecError
from sources import JsonLines, Piece
from sources.files import FilePart, local_file
from sources.lines import BLOCK_BYTES, spans_of_lines

_LONG = '{"a": 1, "t": "' + "x" * 1_000 + '"}\n'  # 9,000 of these are more than a block


def _jsonl(name: str, **fields: Any) -> JsonLines:
    return JsonLines(paths=[name], **fields)


@pytest.mark.parametrize(
    "content",
    [
        '{"a": 1}\n{"a": 2}\n',
        '{"a": 1}\n{"a": 2}',
        '{"a": 1}\r\n{"a": 2}\r\n',
        '\ufeff{"a": 1}\n{"a": 2}',
        '\n{"a": 1}\n \n{"a": 2}\n\n',
    ],
)
def test_lines_are_examples(content: str, write: Any, read_rows: Any) -> None:
    assert read_rows(_jsonl(write("x.jsonl", content))) == [{"a": 1}, {"a": 2}]


def test_types_are_those_of_the_values(write: Any, read_rows: Any) -> None:
    row = {"text": "é\u2028😀\0", "n": -5, "flag": True, "tags": ["x", "y"], "none": []}
    source = _jsonl(write("x.jsonl", json.dumps(row) + "\n" + json.dumps({"none": [1]})))
    assert source.available_features() == {
        "text": Feature(dtype="string"),
        "n": Feature(dtype="int64"),
        "flag": Feature(dtype="bool"),
        "tags": Feature(dtype="string", shape=(None,)),
        "none": Feature(dtype="int64", shape=(None,)),
    }
    assert read_rows(source)[0] == row
    assert read_rows(source)[1] == {"text": None, "n": None, "flag": None, "tags": None, "none": [1]}


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.fixed_dictionaries({"t": st.text(), "n": st.integers(-(2**63), 2**63 - 1), "l": st.lists(st.text())}),
        min_size=1,
    ),
    escaped=st.booleans(),
)
def test_jsonl_gives_back_what_was_written(rows: list[dict[str, Any]], escaped: bool, tmp_path_factory: Any) -> None:
    file = tmp_path_factory.mktemp("jsonl") / "x.jsonl"
    file.write_text("\n".join(json.dumps(r, ensure_ascii=escaped) for r in rows), encoding="utf-8")
    source = _jsonl(str(file), features={"t": "string", "n": "int64", "l": "string"})
    batches = list(source.read(source.pieces()[0], source.available_features(), frozenset()))
    found = [{**row, "l": row["l"] or []} for batch in batches for row in batch.columns.to_pylist()]
    if any(row["l"] for row in rows):
        assert found == rows


def test_line_longer_than_a_block_is_read(write: Any, read_rows: Any) -> None:
    size = BLOCK_BYTES * 2
    write("x.jsonl", '{"a": "p"}\n{"a": "' + "x" * size + '"}\n{"a": "q"}')
    assert [len(row["a"]) for row in read_rows(_jsonl("x.jsonl"))] == [1, size, 1]


def test_file_is_read_in_blocks(write: Any) -> None:
    source = _jsonl(write("x.jsonl", _LONG * 20_000))
    sizes = [b.columns.nbytes for b in source.read(source.pieces()[0], source.available_features(), frozenset())]
    assert len(sizes) > 1
    assert max(sizes) <= BLOCK_BYTES


def test_missing_key_and_null_are_null(write: Any, read_rows: Any) -> None:
    write("x.jsonl", '{"a": 1, "b": "x"}\n{"a": null}\n{"b": "y"}\n')
    rows = read_rows(_jsonl("x.jsonl"))
    assert rows == [{"a": 1, "b": "x"}, {"a": None, "b": None}, {"a": None, "b": "y"}]


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
def test_files_without_a_line_are_refused(content: str, write: Any, refusal: Any) -> None:
    assert "x.jsonl has no line; a source needs at least one example" in str(refusal(_jsonl(write("x.jsonl", content))))


def test_empty_file_among_others_holds_no_example(write: Any, read_rows: Any) -> None:
    names = [write("0.jsonl", ""), write("1.jsonl", '{"a": 1}')]
    assert read_rows(JsonLines(paths=names)) == [{"a": 1}]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"a": ', "is no JSON: "),
        ('{"a": 1,}', "is no JSON: "),
        ("[1]", "is no JSON object. Write one object a line"),
        ("3", "is no JSON object"),
        ('{"a": 1, "a": 2}', "'a' stands twice in an object"),
        ('{"a": 1} x', "is no JSON: "),
        ('{"a": 1', "is no JSON: "),
    ],
)
@pytest.mark.parametrize("before", [2, 9_000])
def test_broken_line_is_named(line: str, what: str, before: int, write: Any, refusal: Any) -> None:
    error = refusal(_jsonl(write("x.jsonl", _LONG * before + "\n" + line + "\n" + _LONG)))
    assert isinstance(error, SourceError)
    assert f"x.jsonl, line {before + 2}: {line.encode()!r}" in str(error)
    assert what in str(error)


@pytest.mark.parametrize(
    ("value", "shown"),
    [('"x"', "'x'"), ("1.5", "1.5"), ("true", "True"), ("[1]", "[1]"), ('{"b": 1}', "{'b': 1}"), ("1e30", "1e+30")],
)
def test_value_of_another_type_later_is_named(value: str, shown: str, write: Any, refusal: Any) -> None:
    error = refusal(_jsonl(write("x.jsonl", _LONG * 9_000 + f'{{"a": {value}}}\n')))
    assert isinstance(error, ExampleError)
    assert f"x.jsonl, line 9001: a is {shown}, which is no int64. " in str(error)


def test_value_of_another_type_at_the_beginning_is_named_and_a_declared_string_takes_both(
    write: Any, refusal: Any, read_rows: Any
) -> None:
    write("x.jsonl", '{"a": 1}\n\n{"a": "x"}\n')
    message = str(refusal(_jsonl("x.jsonl")))
    assert "x.jsonl, line 3: feature 'a' changes from number to string. Give the features to keep a type" in message
    assert read_rows(_jsonl("x.jsonl", features={"a": "string"})) == [{"a": "1"}, {"a": "x"}]


@pytest.mark.parametrize("before", [1, 9_000])
def test_feature_that_appears_later_is_kept_refused_or_chosen(
    before: int, write: Any, refusal: Any, read_rows: Any
) -> None:
    write("x.jsonl", _LONG * before + '{"a": 2, "t": "", "z": 1}\n')
    if before == 1:  # in the block that tells the features
        assert read_rows(_jsonl("x.jsonl"))[-1] == {"a": 2, "t": "", "z": 1}
    else:
        message = str(refusal(_jsonl("x.jsonl")))
        assert "x.jsonl, line 9001: z appears here but not at the beginning of the source. Name the features" in message
    assert read_rows(_jsonl("x.jsonl", features=["a"]))[-1] == {"a": 2}
    assert read_rows(_jsonl("x.jsonl", features={"a": "int64", "z": "int64"}))[-1] == {"a": 2, "z": 1}


def test_declared_feature_that_looks_like_a_slip_is_refused(write: Any, refusal: Any) -> None:
    write("x.jsonl", '{"text": "x"}\n')
    assert "names 'txet', which the source does not have; did you mean 'text'?" in str(
        refusal(_jsonl("x.jsonl", features={"txet": "string"}))
    )


@pytest.mark.parametrize(
    ("value", "kind", "dtypes"),
    [
        ("1.5", "double", {"float32": 1.5, "string": "1.5"}),
        ("1.50", "double", {"string": "1.50"}),
        ("0.30000000000000004441", "double", {"string": "0.30000000000000004441"}),
        ("99999999999999999999", "double", {"string": "99999999999999999999"}),
        ('{"b": [1, null]}', "struct", {"string": '{"b":[1,null]}'}),
        ("[[1], [2.5]]", "list", {"string": "[[1],[2.5]]"}),
        ('"2020-01-01T00:00:00Z"', "timestamp", {"string": "2020-01-01T00:00:00Z"}),
        ("null", "null", {"string": None, "int64": None}),
    ],
)
def test_type_that_cannot_be_stored_is_refused_and_what_the_error_advises_works(
    value: str, kind: str, dtypes: dict[str, Any], write: Any, refusal: Any, read_rows: Any
) -> None:
    write("x.jsonl", f'{{"a": {value}, "b": 1}}\n')
    error = refusal(_jsonl("x.jsonl"))
    assert isinstance(error, SpecError)
    assert f"feature 'a' is {kind}" in str(error)
    for dtype, stored in dtypes.items():
        assert dtype in str(error) or kind == "null"
        assert read_rows(_jsonl("x.jsonl", features={"a": dtype})) == [{"a": stored}]
    assert read_rows(_jsonl("x.jsonl", features=["b"])) == [{"b": 1}]


def test_declared_type_of_a_list_is_that_of_its_values(write: Any, read_rows: Any) -> None:
    write("x.jsonl", '{"a": null}\n{"a": [1, 2.5]}\n{"a": []}\n')
    source = _jsonl("x.jsonl", features={"a": "float32"})
    assert source.available_features() == {"a": Feature(dtype="float32", shape=(None,))}
    assert read_rows(source) == [{"a": None}, {"a": [1.0, 2.5]}, {"a": []}]
    assert read_rows(_jsonl("x.jsonl", features={"a": "string"}))[1] == {"a": ["1", "2.5"]}


@pytest.mark.parametrize(
    ("dtype", "value", "shown"),
    [("int8", "300", "300"), ("int64", '"7"', "'7'"), ("float32", "true", "True"), ("bool", "1", "1")],
)
def test_value_that_does_not_fit_its_declared_type_is_named(
    dtype: str, value: str, shown: str, write: Any, refusal: Any
) -> None:
    write("x.jsonl", f'{{"a": null}}\n{{"a": {value}}}\n')
    message = str(refusal(_jsonl("x.jsonl", features={"a": dtype})))
    assert f"x.jsonl, line 2: a is {shown}, which is no {dtype}. " in message


@pytest.mark.parametrize("other", ['"x"', "7"])
@pytest.mark.parametrize("form", ["{}", "[0, {}]"])
def test_float_beyond_float32_is_refused_and_any_other_is_rounded(
    form: str, other: str, write: Any, read_rows: Any, refusal: Any
) -> None:
    """Whether Arrow parses the block, or we do line by line, as where a number stands for a string."""

    def source(*numbers: float) -> JsonLines:
        lines = [f'{{"b": {other}, "a": {form.format(number)}}}\n' for number in numbers]
        return _jsonl(write("x.jsonl", "".join(lines)), features={"a": "float32", "b": "string"})

    numbers = [1, 2**24 + 1, 0.1, 1e-50]
    rounded = [float(np.float32(number)) for number in numbers]
    expected = rounded if form == "{}" else [[0, number] for number in rounded]
    assert [row["a"] for row in read_rows(source(*numbers))] == expected
    message = str(refusal(source(1, 1e300)))
    assert message.startswith("x.jsonl, example 2: a is ") and "1e+300" in message and "float32. " in message


def test_half_a_surrogate_pair_is_refused(write: Any, refusal: Any) -> None:
    write("x.jsonl", '{"a": "\\ud83d"}\n')
    assert "line 1" in str(refusal(_jsonl("x.jsonl")))
    assert "line 1: a is '\\ud83d', which is no UTF-8 text" in str(refusal(_jsonl("x.jsonl", features={"a": "string"})))


def test_examples_without_features_are_refused(write: Any, refusal: Any) -> None:
    assert "no feature is left to store" in str(refusal(_jsonl(write("x.jsonl", "{}\n{}\n"))))


def _parts(name: str, part_bytes: int) -> list[Piece]:
    file = local_file(name)
    spans = spans_of_lines(file, part_bytes)
    return [Piece(i, f"{name} part {i}", FilePart(file, name, *span)) for i, span in enumerate(spans)]


def test_a_file_in_parts_gives_every_example_once(write: Any) -> None:
    content = "".join(json.dumps({"a": i, "t": "x" * (i % 90)}) + "\n" * (1 + i % 3) for i in range(2_000))
    source = _jsonl(write("x.jsonl", "\ufeff" + content))
    features = source.available_features()
    pieces = _parts("x.jsonl", 10_000)
    assert len(pieces) > 5
    batches = [batch for piece in pieces for batch in source.read(piece, features, frozenset())]
    assert [a for batch in batches for a in batch.columns["a"].to_pylist()] == list(range(2_000))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"a": ', "{}: b'{{\"a\": ' is no JSON"),
        ('{"a": "x"}', "{}: a is 'x', which is no int64"),
        ('{"a": 1, "b": 2}', "{}: b appears here but not at the beginning"),
        ('{"a": 1.5}', "{}: a is 1.5, which is no int64"),
    ],
)
def test_line_of_a_later_part_is_named_by_the_byte_where_it_begins(line: str, message: str, write: Any) -> None:
    before = "".join(f'{{"a": {i}}}\n' for i in range(500))
    source = _jsonl(write("x.jsonl", before + line + "\n" + before))
    features = _jsonl(write("good.jsonl", before)).available_features()
    read = (batch for piece in _parts("x.jsonl", 2_000) for batch in source.read(piece, features, frozenset()))
    with pytest.raises((SourceError, ExampleError)) as caught:
        list(read)
    place = f"{Path('x.jsonl').absolute()}, line at byte {len(before):,}"
    assert str(caught.value).startswith(message.format(place))


def test_features_are_renamed_with_and_without_a_type(write: Any, read_rows: Any) -> None:
    write("x.jsonl", '{"a": 1, "b": "x", "c": [1]}\n{"a": 2.5, "b": "y"}\n')
    renamed = {"z": {"from": "a", "dtype": "string"}, "b": "string"}
    assert read_rows(_jsonl("x.jsonl", features=renamed)) == [{"z": "1", "b": "x"}, {"z": "2.5", "b": "y"}]
    assert read_rows(_jsonl("x.jsonl", features={"z": {"from": "b"}})) == [{"z": "x"}, {"z": "y"}]
