"""Published versions as sources. The ones of tests/golden stay as they are for ever."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import groupstream
from groupstream import Feature, RefNotFoundError, SourceError, SpecError
from groupstream.examples.encoding import encode_examples, encode_group_ids
from groupstream.features import GROUP_ID
from sources import GroupstreamVersion
from sources.groupstream_version import without_group_ids

GOLDEN = Path(__file__).parents[1] / "golden/v1"
KINDS = {"text": Feature(dtype="string"), "n": Feature(dtype="int64")}


def _source(name: str = "text", **fields: Any) -> GroupstreamVersion:
    return GroupstreamVersion(ref=name, root=str(GOLDEN), **fields)


def _key(row: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, repr(value)) for name, value in row.items()))


@pytest.mark.parametrize("name", ["text", "digits"])
def test_every_example_is_read_without_its_group_id(name: str, read_rows: Any) -> None:
    dataset = groupstream.open(GOLDEN / name / "1.0.0")
    source = _source(name)
    assert source.available_features() == dataset.features
    expected = pa.Table.from_batches(
        [batch for group in dataset["train"] for batch in group.table().to_batches()]
    ).to_pylist()
    rows = read_rows(source)
    assert Counter(map(_key, rows)) == Counter(map(_key, expected))
    assert len(rows) == dataset["train"].num_examples > 0


@pytest.mark.parametrize("name", ["text", "digits"])
def test_records_end_where_the_group_id_began(name: str) -> None:
    dataset = groupstream.open(GOLDEN / name / "1.0.0")
    source = _source(name)
    records = [
        record
        for piece in source.pieces()
        for batch in source.read(piece, source.available_features(), frozenset())
        for record in batch.records.to_pylist()
    ]
    stored = [
        (group.id, record) for group in dataset["train"] for block in group.records() for record in block.to_pylist()
    ]
    endings = encode_group_ids(pa.array([id for id, _ in stored], pa.large_binary())).to_pylist()
    assert [r + e for r, e in zip(records, endings, strict=True)] == [record for _, record in stored]
    assert not any(GROUP_ID.encode() in record for record in records)


def test_pieces_are_the_shards_of_the_version_that_the_ref_leads_to(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN / "text/1.0.0", tmp_path / "text/1.0.0")
    source = GroupstreamVersion(ref="text@latest", root=str(tmp_path))
    pieces = source.pieces()
    assert [piece.label for piece in pieces] == [f"train-{i:05d}-of-00003.tfrecord" for i in range(3)]
    assert pieces[0].part[0] == str(tmp_path / "text/1.0.0")


def test_old_group_id_is_kept_as_a_feature(read_rows: Any) -> None:
    source = _source(group_feature="old_group")
    assert source.available_features()["old_group"] == Feature(dtype="bytes")
    dataset = groupstream.open(GOLDEN / "text/1.0.0")
    sizes = Counter(row["old_group"] for row in read_rows(source))
    assert sizes == {group.id: group.num_examples for group in dataset["train"]}
    as_text = _source(group_feature="old", features={"was": {"from": "old", "dtype": "string"}})
    assert Counter(row["was"].encode() for row in read_rows(as_text)) == sizes


def test_old_group_id_does_not_take_the_name_of_a_feature(refusal: Any) -> None:
    assert "source.group_feature 'text' is the name of a feature of text@1.0.0" in str(
        refusal(_source(group_feature="text"))
    )


def test_identity_is_that_of_the_version(tmp_path: Path) -> None:
    by_ref = _source().identity()
    by_path = GroupstreamVersion(ref=str(GOLDEN / "text/1.0.0")).identity()
    assert by_ref == by_path
    manifest = groupstream.open(GOLDEN / "text/1.0.0").manifest
    assert (by_ref["ref"], by_ref["digest"]) == ("text@1.0.0", manifest.digest)
    assert by_ref != _source("digits").identity()


def test_unknown_split_and_ref_are_refused(refusal: Any) -> None:
    error = refusal(_source(split="trian"))
    assert isinstance(error, SpecError)
    assert "source.split 'trian' is not in text@1.0.0; did you mean 'train'?" in str(error)
    assert isinstance(refusal(_source("no-such-version")), RefNotFoundError)


def test_damaged_shard_is_refused(tmp_path: Path, refusal: Any) -> None:
    shutil.copytree(GOLDEN / "text/1.0.0", tmp_path / "1.0.0")
    file = tmp_path / "1.0.0/train-00001-of-00003.tfrecord"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    error = refusal(GroupstreamVersion(ref=str(tmp_path / "1.0.0")))
    assert isinstance(error, SourceError)
    assert file.name in str(error)


def _examples() -> pa.LargeBinaryArray:
    return encode_examples(pa.record_batch({"text": ["é", "group_id"], "n": [-1, 300]}), KINDS)


def _with(records: pa.LargeBinaryArray, endings: pa.LargeBinaryArray) -> pa.LargeBinaryArray:
    pairs = zip(records.to_pylist(), endings.to_pylist(), strict=True)
    return pa.array([record + ending for record, ending in pairs], pa.large_binary())


def test_group_id_is_cut_off_whatever_it_holds() -> None:
    ids = pa.array([b"\x00\xff" * 200, b"g"], pa.large_binary())
    for records in (_examples(), _examples().slice(1).slice(0, 1)):
        stored = _with(records, encode_group_ids(ids.slice(0, len(records))))
        assert without_group_ids(stored, "here").to_pylist() == records.to_pylist()
        assert without_group_ids(stored.slice(len(stored)), "here").to_pylist() == []


def test_record_that_does_not_end_with_its_group_id_is_refused() -> None:
    ids = encode_group_ids(pa.array([b"a", b"b"], pa.large_binary()))
    for stored in (_with(ids, _examples()), _with(_with(_examples(), ids), pa.array([b"\n\0", b"\n\0"]))):
        with pytest.raises(SourceError, match="here: a record does not end with its group id"):
            without_group_ids(stored, "here")
