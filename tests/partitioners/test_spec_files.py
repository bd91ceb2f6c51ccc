"""By what a file says: a mapping of examples, or a table of shares."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from groupstream import SpecError
from groupstream.testing import FolderServer
from partitioners import ByDistributionMatrix, ByMapping, ExampleIds, RulePartitioner
from partitioners.mapping import GroupOfExample


def _groups(partitioner: RulePartitioner, **columns: Any) -> list[bytes | None]:
    batch = pa.record_batch(columns)
    return partitioner.assign(batch, ExampleIds(0, np.arange(len(batch)))).to_pylist()


def _mapping(folder: Path, content: str | bytes, name: str = "map.csv") -> ByMapping:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return ByMapping(feature="id", file=str(path))


def test_mapping_gives_the_group_that_stands_beside_the_example(tmp_path: Path) -> None:
    mapping = _mapping(tmp_path, 'note,group_id,example_id\n1,"é,1",007\n2,b,é\n3,,x\n4,b,"two\nlines"\n')
    ids = ["é", "7", "007", None, "", "x", "two\nlines", "é"]
    assert _groups(mapping, id=ids) == [b"b", None, "é,1".encode(), None, None, b"", b"b", b"b"]


def test_mapping_in_parquet_may_hold_numbers_and_bytes(tmp_path: Path) -> None:
    table = pa.table({"client_id": pa.array([b"\xff", None, b"a"]), "example_id": pa.array([7, 8, -9], pa.int32())})
    pq.write_table(table, tmp_path / "map.parquet")
    mapping = ByMapping(feature="id", file=str(tmp_path / "map.parquet"))
    assert _groups(mapping, id=pa.array([-9, 7, 8, 9, None])) == [b"a", b"\xff", None, None, None]
    assert _groups(mapping, id=["-9", "07"]) == [b"a", None]


def test_mapping_of_many_examples_agrees_with_a_dict(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    ids = [f"{'x' * (i % 40)}{i}" for i in range(50_000)]
    groups = generator.integers(0, 300, len(ids))
    lines = "".join(f"g{group},{name}\n" for group, name in zip(groups, ids, strict=True))
    mapping = _mapping(tmp_path, "group_id,example_id\n" + lines)
    asked = [ids[i] if i < len(ids) else f"unknown {i}" for i in generator.integers(0, 60_000, 10_000)]
    known = {name: f"g{group}".encode() for group, name in zip(groups, ids, strict=True)}
    assert _groups(mapping, id=asked) == [known.get(name) for name in asked]


def test_newlines_stand_anywhere_in_a_large_mapping(tmp_path: Path) -> None:
    lines = "".join(f'g,"{number:020}\n\n{number:020}"\n' for number in range(60_000))
    mapping = _mapping(tmp_path, "group_id,example_id\n" + lines)
    assert _groups(mapping, id=[f"{59_999:020}\n\n{59_999:020}"]) == [b"g"]


def test_example_is_not_taken_for_another_of_the_same_hash() -> None:
    table = GroupOfExample.of(pa.array([b"a"]), pa.array([b"g"]), "map.csv")
    other = GroupOfExample(table.words, pa.array([b"b"], pa.large_binary()), table.group_codes, table.group_ids, 0)
    assert table.groups_of(pa.array([b"a"])).to_pylist() == [b"g"]
    assert other.groups_of(pa.array([b"a"])).to_pylist() == [None]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("group_id,example_id\na,1\nb,2\na,1\n", "names the example '1' twice. Name each once"),
        ("group_id,example_id\na,\nb,\n", "names the example '' twice"),
        ("user,example_id\na,1\n", "has no column 'group_id'; it has user, example_id. Name the columns"),
        ("client_id,sample\na,1\n", "has no column 'example_id'; it has client_id, sample"),
        ("", "is no CSV or Parquet file: Empty CSV file"),
        ("group_id,example_id\na,1\nb\n", "is no CSV or Parquet file: CSV parse error: Expected 2 columns, got 1"),
        (b"PAR1 cut short", "is no CSV or Parquet file: "),
        (b"group_id,example_id\n\xff,1\n", "is no CSV or Parquet file: .*UTF8"),
    ],
)
def test_mapping_that_cannot_be_read_is_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(SpecError, match=rf"partitioner.file '.*map.csv' {message}"):
        _groups(_mapping(tmp_path, content), id=["1"])


def test_mapping_with_a_null_example_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"group_id": ["a"], "example_id": pa.array([None], pa.int64())}), tmp_path / "m.parquet")
    with pytest.raises(SpecError, match=r"1 rows have no example_id\. Mend them"):
        _groups(ByMapping(feature="id", file=str(tmp_path / "m.parquet")), id=["1"])


def test_mapping_of_nothing_maps_nothing(tmp_path: Path) -> None:
    assert _groups(_mapping(tmp_path, "group_id,example_id\n"), id=["1", None]) == [None, None]


def test_content_of_the_file_is_part_of_the_identity_and_its_place_is_not(tmp_path: Path) -> None:
    a = _mapping(tmp_path, "group_id,example_id\na,1\n", "a.csv")
    b = _mapping(tmp_path, "group_id,example_id\na,1\n", "b.csv")
    c = _mapping(tmp_path, "group_id,example_id\nb,1\n", "c.csv")
    assert a.identity() == b.identity() != c.identity()
    assert ByDistributionMatrix(shares={"a": [1.0]}).identity() == {}
    assert ByMapping.places == {"file"}


def test_another_content_at_the_same_place_is_read_anew(tmp_path: Path) -> None:
    assert _groups(_mapping(tmp_path, "group_id,example_id\na,1\n"), id=["1"]) == [b"a"]
    assert _groups(_mapping(tmp_path, "group_id,example_id\nb,1\n"), id=["1"]) == [b"b"]


def test_file_that_changes_between_plan_and_worker_is_refused(tmp_path: Path) -> None:
    planned = _mapping(tmp_path, "group_id,example_id\nc,1\n")
    planned.identity()
    sent = pickle.loads(pickle.dumps(planned))
    _mapping(tmp_path, "group_id,example_id\nd,1\n")
    with pytest.raises(SpecError, match=r"was changed while the build ran\. Build again"):
        _groups(sent, id=["1"])


@pytest.mark.parametrize(
    "make", [lambda file: ByMapping(feature="id", file=file), lambda file: ByDistributionMatrix(file=file)]
)
def test_file_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError, match=r"partitioner.file 'no.csv' names no file, seen from /.*\. Correct the path"):
        make("no.csv").identity()
    with pytest.raises(SpecError, match=r"partitioner.file '/' cannot be read: Is a directory"):
        make("/").identity()


def test_file_may_lie_on_a_web_server(tmp_path: Path) -> None:
    here = _mapping(tmp_path, "group_id,example_id\na,1\n")
    with FolderServer(tmp_path) as server:
        there = ByMapping(feature="id", file=f"{server.url}/map.csv")
        assert there.identity() == here.identity()
        assert _groups(there, id=["1", "2"]) == [b"a", None]
        with pytest.raises(SpecError, match=r"partitioner.file 'http://.*/no.csv' names no file\. Correct the path"):
            ByMapping(feature="id", file=f"{server.url}/no.csv").identity()


def test_address_on_a_web_server_may_be_escaped(tmp_path: Path) -> None:
    (tmp_path / "my files").mkdir()
    here = _mapping(tmp_path / "my files", "group_id,example_id\na,1\n", "who é.csv")
    with FolderServer(tmp_path) as server:
        there = ByMapping(feature="id", file=f"{server.url}/my%20files/who%20%C3%A9.csv")
        assert there.identity() == here.identity()


def _matrix(folder: Path, content: str) -> ByDistributionMatrix:
    (folder / "shares.csv").write_text(content, encoding="utf-8")
    return ByDistributionMatrix(file=str(folder / "shares.csv"))


def test_matrix_of_a_file_names_the_groups(tmp_path: Path) -> None:
    matrix = _matrix(tmp_path, '\ufefflabel,"é,1",b\n7,1,0\n"x\ny",0,1.0\n\n')
    assert _groups(matrix, label=["7", "x\ny", "8", None, ""]) == ["é,1".encode(), b"b", None, None, None]
    assert _groups(matrix, label=pa.array([7, 8], pa.uint8())) == ["é,1".encode(), None]


def test_example_without_a_name_has_no_group_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "shares.csv").write_text("label,a\n7,1\n")
    matrix = ByDistributionMatrix(file=str(tmp_path / "shares.csv"), example_key="id")
    assert _groups(matrix, label=[7, 7], id=["x", None]) == [b"a", None]


def test_matrix_may_be_rounded() -> None:
    third = ByDistributionMatrix(shares={3: [0.3333, 0.3333, 0.3333]})
    assert set(_groups(third, label=[3] * 500)) == {b"0", b"1", b"2"}


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"a": [0.5, 0.4]}, "the shares of label 'a' sum to 0.9, not to 1"),
        ({"a": [0.5, 0.5], "b": [1.0]}, "label 'b' has 1 shares for 2 groups"),
        ({"a": [1.5, -0.5]}, "less than or equal to 1"),
        ({"a": [-0.5, 1.5]}, "greater than or equal to 0"),
        ({"a": [float("nan"), 1.0]}, "a.0\n.*should be"),
        ({"a": []}, "at least 1 item"),
        ({}, "at least 1 item"),
    ],
)
def test_shares_that_cannot_be_are_refused(shares: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ByDistributionMatrix(shares=shares)


def test_matrix_is_said_once() -> None:
    for fields in ({}, {"shares": {"a": [1.0]}, "file": "x.csv"}):
        with pytest.raises(ValidationError, match="give one of shares and file"):
            ByDistributionMatrix(**fields)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("label,a,b\nx,0.5,0.4\n", "the shares of label 'x' sum to 0.9, not to 1"),
        ("label,a,b\nx,0.5,0.5,0\n", "label 'x' has 3 shares for 2 groups"),
        ("label,a,b,c\nx,1.0,-0.5,0.5\n", "label 'x' has a share that is not from 0 to 1"),
        ("label,a,b\nx,nan,1\n", "label 'x' has a share that is not from 0 to 1"),
        ("label,a,b\nx,half,0.5\n", "could not convert string to float: 'half'"),
        ("label,a,b\nx,1,0\nx,0,1\n", "'x' stands 2 times; write each once"),
        ("label,a,a\nx,1,0\n", "'a' stands 2 times; write each once"),
        ("label,a,\nx,1,0\n", "a group has no name"),
        ("label,a,b\n", "it has no label"),
        ("label\nx\n", "it has no group"),
        ("", "it has no header"),
        ('label,a,b\nx,"1,0\n', "unexpected end of data"),
    ],
)
def test_table_that_cannot_be_is_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(SpecError, match=rf"no table of shares: .*{message}.* Write the header label,GROUP,GROUP"):
        _groups(_matrix(tmp_path, content), label=["x"])
