from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import groupstream
from groupstream import CorruptError, Dataset, Feature, PublishError, Split, UnknownKeyError, UsageError
from groupstream.features import arrow_schema


@pytest.fixture
def text(golden: Path) -> Dataset:
    return groupstream.open("text", str(golden))


@pytest.fixture
def train(text: Dataset) -> Split:
    return text["train"]


def test_a_dataset_is_a_mapping_of_its_splits(text: Dataset) -> None:
    assert list(text) == ["train"]
    assert len(text) == 1
    assert "train" in text
    assert "test" not in text
    assert text.get("test") is None
    assert [split.name for split in text.values()] == ["train"]


def test_an_unknown_split_names_those_there_are(text: Dataset) -> None:
    with pytest.raises(UnknownKeyError, match=r"^text@1\.0\.0 has no split 'test'; it has train$") as caught:
        text["test"]
    assert isinstance(caught.value, KeyError)
    assert isinstance(caught.value, UsageError)


def test_figures_need_no_file_but_the_manifest(golden_copy: Path) -> None:
    folder = golden_copy / "text" / "1.0.0"
    for path in folder.iterdir():
        if path.is_file() and path.name != "manifest.json":
            path.unlink()
    train = groupstream.open(folder)["train"]
    assert (train.num_groups, len(train), train.num_examples) == (8, 8, 40)


def test_groups_stream_in_the_order_of_the_index(train: Split) -> None:
    table = train.group_table()
    assert [group.id for group in train] == table["group_id"].to_pylist()
    assert table["group_hash"].to_pylist() == sorted(table["group_hash"].to_pylist())
    assert [group.num_examples for group in train] == table["num_examples"].to_pylist()
    assert [group.num_words for group in train] == table["num_words"].to_pylist()
    assert train.group_table(["num_bytes"]).schema.names == ["num_bytes"]


def test_the_stream_reads_the_files_from_end_to_end(train: Split, golden: Path) -> None:
    streamed = b"".join(record for group in train for block in group.records() for record in block.to_pylist())
    frames = 16 * train.num_examples
    assert len(streamed) == sum(p.stat().st_size for p in (golden / "text" / "1.0.0").glob("*.tfrecord")) - frames


def test_a_group_is_found_by_its_id(train: Split) -> None:
    group = train.group("山田 太郎")
    assert group.id == "山田 太郎".encode()
    assert group.name == "山田 太郎"
    assert [e["author"] for e in group.examples()] == ["山田 太郎"] * len(group)
    assert "山田 太郎" in train
    assert "山田 太郎".encode() in train
    assert all(train.group(g.id).table().equals(g.table()) for g in train)


def test_a_missing_group_is_a_key_error(train: Split) -> None:
    for group_id in ("Nobody", b"Nobody", "", b"\xff"):
        assert group_id not in train
        with pytest.raises(KeyError):
            train.group(group_id)
    with pytest.raises(UnknownKeyError, match=r"^text@1\.0\.0 has no group 'Nobody' in split train; see some with"):
        train.group("Nobody")


def test_a_group_whose_id_is_no_text_has_a_name(make_version: Any) -> None:
    root = make_version([{"n": 0}], [b"a\xff"], {"n": Feature(dtype="int64")})
    [group] = groupstream.open("made", str(root))["train"]
    assert group.name == "a\\xff"


def test_batches_a_table_and_examples_hold_the_same(text: Dataset, train: Split) -> None:
    group = train.group("Ada Lovelace")
    [batch] = group.batches()
    table = group.table()
    assert batch.schema == table.schema == arrow_schema(text.features)
    assert table.to_batches() == [batch]
    assert list(group.examples()) == table.to_pylist()
    assert len(group) == group.num_examples == len(table) == 11
    assert group.num_bytes == sum(len(r) for block in group.records() for r in block.to_pylist())


def test_a_large_group_comes_in_several_batches(make_version: Any) -> None:
    features = {"x": Feature(dtype="bytes")}
    examples = [{"x": bytes([i]) * (1 << 20)} for i in range(20)]
    root = make_version(examples, [b"large"] * 20, features)
    group = groupstream.open("made", str(root))["train"].group("large")
    sizes = [batch.num_rows for batch in group.batches()]
    assert sum(sizes) == 20
    assert len(sizes) > 2
    assert [e["x"][0] for e in group.examples()] == list(range(20))


def test_missing_values_are_null(train: Split) -> None:
    table = train.group("Ada Lovelace").table()
    assert table.schema.field("note").nullable
    assert not table.schema.field("text").nullable
    assert 0 < table["note"].null_count < len(table)


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "float32"])
def test_tensors_are_arrays_of_their_shape(make_version: Any, dtype: Any) -> None:
    features = {"x": Feature(dtype=dtype, shape=(2, 3), optional=True)}
    flat = [[0, 1, 0, 1, 1, 1], None, [1, 0, 0, 0, 0, 1]]
    values = pa.array(flat, pa.list_(pa.int64(), 6)).cast(features["x"].arrow_type.storage_type)
    column = pa.ExtensionArray.from_storage(features["x"].arrow_type, values)
    examples = pa.record_batch([column], schema=arrow_schema(features)).to_pylist()
    root = make_version(examples, [b"a"] * 3, features)
    found = [e["x"] for e in groupstream.open("made", str(root))["train"].group("a").examples()]
    assert found[1] is None
    assert [f.shape for f in found if f is not None] == [(2, 3)] * 2
    assert [None if f is None else f.reshape(-1).astype(int).tolist() for f in found] == flat
    assert found[0].dtype == np.dtype(dtype)


def test_what_things_are_called(text: Dataset, train: Split, golden: Path) -> None:
    assert repr(text) == "<groupstream.Dataset text@1.0.0: train>"
    assert repr(train) == "<groupstream.Split text@1.0.0 train: 8 groups, 40 examples>"
    assert repr(train.group("anonymous")) == "<groupstream.Group 'anonymous': 1 examples>"
    assert text.location == f"{golden}/text/1.0.0"


@pytest.mark.parametrize(
    ("file", "read"),
    [
        ("train.groups.parquet", lambda split: split.group("Ada Lovelace")),
        ("train-00002-of-00003.tfrecord", lambda split: split.group("Ada Lovelace").table()),
    ],
)
def test_a_missing_file_is_named(golden_copy: Path, file: str, read: Callable[[Split], object]) -> None:
    path = golden_copy / "text" / "1.0.0" / file
    path.unlink()
    with pytest.raises(CorruptError, match=f"{path} is missing"):
        read(groupstream.open("text", str(golden_copy))["train"])


def test_a_changed_index_is_found_when_it_is_opened(golden_copy: Path) -> None:
    path = golden_copy / "text" / "1.0.0" / "train.groups.parquet"
    table = pq.read_table(path)
    pq.write_table(table.slice(1), path)
    with pytest.raises(CorruptError, match=r"has crc32c .* its manifest says"):
        groupstream.open("text", str(golden_copy))["train"].group_table()


def test_a_shard_cut_short_is_found_when_it_is_read(golden_copy: Path) -> None:
    path = golden_copy / "text" / "1.0.0" / "train-00002-of-00003.tfrecord"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CorruptError, match="cut short"):
        [list(group.examples()) for group in groupstream.open("text", str(golden_copy))["train"]]


def test_an_index_that_counts_wrong_is_found(make_version: Any) -> None:
    def change(table: pa.Table) -> pa.Table:
        place = table.schema.get_field_index("num_examples")
        return table.set_column(place, table.schema.field(place), pa.array([3], pa.int64()))

    root = make_version([{"n": 0}] * 2, [b"a", b"a"], {"n": Feature(dtype="int64")}, change, num_shards=1)
    with pytest.raises(CorruptError, match="group 'a' should have 3 examples, 2 were read"):
        groupstream.open("made", str(root))["train"].group("a").table()


def test_a_stream_reads_neighbours_together_and_holds_none_of_them(
    text: groupstream.Dataset, counted: Callable[[Split], tuple[Split, list[int]]]
) -> None:
    split, reads = counted(text["train"])
    streamed = [list(group.examples()) for group in split]
    assert len(reads) == len(split.info.shards)
    reads.clear()
    kept = list(split)
    assert [list(group.examples()) for group in kept] == streamed
    assert len(reads) == len(kept), "after the stream each group is read by itself"


def test_the_root_may_be_a_path(golden: Path) -> None:
    assert groupstream.open("text", golden).location == f"{golden}/text/1.0.0"


def test_a_damaged_copy_of_a_remote_index_is_fetched_again(text: Dataset, counted: Any, cache: Path) -> None:
    expected = text["train"].group_table()
    assert counted(text["train"])[0].group_table() == expected
    [copy] = (cache / "indexes").glob("*.parquet")
    copy.write_bytes(copy.read_bytes()[:-3])
    assert counted(text["train"])[0].group_table() == expected
    assert [path.name for path in (cache / "indexes").iterdir()] == [copy.name]


def test_a_remote_index_without_a_cache_to_write_to_is_one_line(text: Dataset, counted: Any, cache: Path) -> None:
    cache.write_text("not a folder")
    with pytest.raises(
        PublishError, match=rf"^cannot write to {cache}/indexes: .*, or choose another cache with \$GROUP"
    ):
        counted(text["train"])[0].group_table()


@pytest.mark.parametrize("in_memory", [0, 1 << 16])
def test_ids_may_be_empty_or_huge(
    make_version: Any, cache: Path, monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    monkeypatch.setattr("groupstream.index.IN_MEMORY_GROUPS", in_memory)
    for name, ids in (("empty", [b""]), ("huge", [bytes([65 + i]) * (1 << 20) for i in range(5)])):
        root = make_version([{"n": i} for i in range(15)], (ids * 15)[:15], {"n": Feature(dtype="int64")}, name=name)
        split = groupstream.open(name, root)["train"]
        assert sorted(group.id for group in split.shuffle(1)) == ids
        assert all(group_id in split for group_id in ids)
        assert sorted(i for batch in split.to_numpy(4) for i in batch["group_id"]) == sorted((ids * 15)[:15])
        assert split.group(ids[0]).table().num_rows == 15 // len(ids)


def test_what_no_group_passes_is_empty(train: Split) -> None:
    for stream in (train.filter(min_examples=99), train.filter(group_ids=[]), train.filter(min_examples=9).shard(5, 6)):
        for order in (stream, stream.shuffle(1)):
            order = order.filter(max_examples=3)
            assert [*order, *order.chunks(), *order.batches(3), *order.to_numpy()] == []
            assert order.to_arrow().read_all().num_rows == 0
    assert list(train.groups([])) == []
