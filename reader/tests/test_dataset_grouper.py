"""Shards of Dataset Grouper: read, and written as it writes them. Its own loader: `test_dataset_grouper_loader.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import groupstream
from groupstream import CorruptError, ExampleError, Feature, SourceError, UsageError
from groupstream.binary import byte_offsets, data_of
from groupstream.dataset_grouper import read_groups
from groupstream.dataset_grouper.sequence_example import (
    HEAD_BYTES,
    encode_groups,
    encode_heads,
    encode_steps,
    step_lengths,
)
from groupstream.examples.encoding import encode_examples
from groupstream.exports import dataset_grouper as layout
from groupstream.exports import export
from groupstream.feature_inference import infer_features
from groupstream.features import Features, arrow_schema
from groupstream.tfrecord import frame_records, unframe

# Its own DummyDataset, `{"id": 0..2}`, as its tfds_to_tfrecords wrote it: grouped by whether id is even.
WRITTEN_BY_IT = {
    "dummy-00000-of-00002.tfrecord": (
        "2d000000000000003c418afb122b0a290a1073657269616c697a65645f627974657312150a130a110a0f0a0d0a0b0a02696412051a03"
        "0a0101cf6abd4c"
    ),
    "dummy-00001-of-00002.tfrecord": (
        "420000000000000079f36eaa12400a3e0a1073657269616c697a65645f6279746573122a0a130a110a0f0a0d0a0b0a02696412051a03"
        "0a01000a130a110a0f0a0d0a0b0a02696412051a030a0102bcbc1cdc"
    ),
}
FEATURES = {"page": Feature(dtype="string"), "n": Feature(dtype="int64")}
Groups = Sequence[Sequence[dict[str, Any]]]
WriteShard = Callable[..., Path]


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    for name, content in WRITTEN_BY_IT.items():
        (tmp_path / name).write_bytes(bytes.fromhex(content))
    return tmp_path


@pytest.fixture
def write_shard(tmp_path: Path) -> WriteShard:
    def write(groups: Groups, features: Features = FEATURES, name: str = "train-00000-of-00001.tfrecord") -> Path:
        (tmp_path / name).write_bytes(bytes(data_of(frame_records(encoded(groups, features)))))
        return tmp_path / name

    return write


def encoded(groups: Groups, features: Features = FEATURES) -> pa.LargeBinaryArray:
    rows = [example for group in groups for example in group]
    records = encode_examples(pa.RecordBatch.from_pylist(rows, arrow_schema(features)), features)
    return encode_groups(records, np.cumsum([0, *map(len, groups)]))


def values(group: Any, features: Features) -> list[dict[str, Any]]:
    return [example for batch in group.batches(features) for example in batch.to_pylist()]


def count_records(path: Path, block_bytes: int, group_feature: str | None = None) -> int:
    groups = read_groups(path, group_feature, block_bytes)
    return sum(len(block) for group in groups for block in group.records())


def made(sizes: Sequence[int], letters: int = 10) -> list[list[dict[str, Any]]]:
    return [[{"page": f"page {g}", "n": g * 1000 + i * 300 - letters} for i in range(n)] for g, n in enumerate(sizes)]


def test_what_it_wrote_is_read(shards: Path) -> None:
    groups = list(read_groups(shards / "dummy-*"))
    assert [g.name for g in groups] == ["dummy-00000-of-00002.tfrecord:0", "dummy-00001-of-00002.tfrecord:0"]
    assert [g.num_bytes for g in groups] == [0x2D, 0x42]
    features = infer_features(block for group in groups for block in group.records())
    assert features == {"id": Feature(dtype="int64")}
    assert [values(g, features) for g in groups] == [[{"id": 1}], [{"id": 0}, {"id": 2}]]


def test_what_it_wrote_is_what_we_write(shards: Path) -> None:
    for path in shards.iterdir():
        [group] = read_groups(path)
        [records] = group.records()
        framed = frame_records(encode_groups(records, np.array([0, len(records)])))
        assert bytes(data_of(framed)) == path.read_bytes()


def test_groups_of_a_slice_of_records_are_encoded_alike() -> None:
    rows = [row for group in made([3, 4]) for row in group]
    records = encode_examples(pa.RecordBatch.from_pylist(rows, arrow_schema(FEATURES)), FEATURES)
    whole = encode_groups(records, np.array([0, 3, 7]))
    assert encode_groups(records.slice(3), np.array([0, 4])).to_pylist() == whole.to_pylist()[1:]


@pytest.mark.parametrize("block_bytes", [1, 100, 333, 4096, 8 << 20])
@pytest.mark.parametrize("sizes", [[1], [3, 1, 2], [0], [0, 5, 0, 0, 2], [200, 1, 1, 50], [1] * 40])
def test_groups_are_the_same_however_much_is_read_at_once(
    write_shard: WriteShard, sizes: list[int], block_bytes: int
) -> None:
    groups = made(sizes)
    path = write_shard(groups)
    found = list(read_groups(path, block_bytes=block_bytes))
    assert [values(g, FEATURES) for g in found] == groups
    assert [g.id for g in found] == [b"%s:%d" % (path.name.encode(), i) for i in range(len(sizes))]
    again = list(read_groups([path], "page", block_bytes))
    expected = [f"page {i}" if size else f"{path.name}:{i}" for i, size in enumerate(sizes)]
    assert [g.name for g in again] == expected
    assert [sum(map(len, g.records())) for g in again] == sizes


def test_a_large_group_is_read_in_blocks(write_shard: WriteShard) -> None:
    path = write_shard([[{"page": "x" * 50_000, "n": i} for i in range(100)]])
    [group] = read_groups(path, block_bytes=200_000)
    blocks = list(group.records())
    assert max(sum(map(len, block.to_pylist())) for block in blocks) < 200_000
    assert len(blocks) >= 25
    assert [len(batch) for batch in group.batches(FEATURES)] == [len(block) for block in blocks]


def test_an_example_longer_than_a_block_is_read_whole(write_shard: WriteShard) -> None:
    rows = [{"page": letter * size, "n": 0} for letter, size in [("a", 10), ("b", 70_000), ("c", 10), ("d", 3_000_000)]]
    [group] = read_groups(write_shard([rows]), block_bytes=1000)
    assert values(group, FEATURES) == rows


def test_groups_are_named_by_integers_in_decimal(write_shard: WriteShard) -> None:
    rows = [[{"page": "a", "n": -7}], [{"page": "b", "n": 2**40}] * 2]
    assert [g.id for g in read_groups(write_shard(rows), "n")] == [b"-7", b"1099511627776"]


@pytest.mark.parametrize("block_bytes", [1, 8 << 20])
def test_a_feature_with_two_values_names_no_group(write_shard: WriteShard, block_bytes: int) -> None:
    rows = [[{"page": "a", "n": 1}], [{"page": "b", "n": 2}, {"page": "b", "n": 3}]]
    with pytest.raises(ExampleError, match=r"tfrecord:1: .* is '2' and '3' in one group; name groups by"):
        count_records(write_shard(rows), block_bytes, "n")


def test_a_feature_that_is_not_there_names_no_group(write_shard: WriteShard) -> None:
    with pytest.raises(ExampleError, match="no feature 'title' names the groups; the examples have n, page"):
        list(read_groups(write_shard(made([1])), "title"))


def test_a_float_names_no_group(write_shard: WriteShard) -> None:
    path = write_shard([[{"x": 0.5}]], {"x": Feature(dtype="float32")})
    with pytest.raises(ExampleError, match="'x' is float32, which names no groups"):
        list(read_groups(path, "x"))


def test_no_file_and_two_files_of_one_name_are_refused_at_once(shards: Path) -> None:
    with pytest.raises(SourceError, match=r"no file matches .*nothing-\*"):
        read_groups(shards / "nothing-*")
    other = shards / "other"
    other.mkdir()
    name = next(iter(WRITTEN_BY_IT))
    (other / name).write_bytes(b"")
    with pytest.raises(SourceError, match="have one name"):
        read_groups([shards / name, other / name])


@pytest.mark.parametrize("block_bytes", [1, 8 << 20])
def test_every_flipped_byte_is_found(write_shard: WriteShard, block_bytes: int) -> None:
    path = write_shard(made([2, 3]))
    content = path.read_bytes()
    for position in range(len(content)):
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        with pytest.raises(CorruptError, match=path.name):
            list(read_groups(path, block_bytes=block_bytes))


@pytest.mark.parametrize("block_bytes", [1, 8 << 20])
def test_every_cut_file_is_found(write_shard: WriteShard, block_bytes: int) -> None:
    groups = made([1, 2])
    path = write_shard(groups)
    content = path.read_bytes()
    [first] = np.diff(byte_offsets(frame_records(encoded(groups[:1]))))
    for size in sorted(set(range(1, len(content))) - {int(first)}):
        path.write_bytes(content[:size])
        with pytest.raises(CorruptError, match="cut short"):
            list(read_groups(path, block_bytes=block_bytes))


def test_plain_examples_are_not_taken_for_groups(golden: Path) -> None:
    with pytest.raises(CorruptError, match=r"not part of a group as Dataset Grouper 0\.3\.0 writes it"):
        list(read_groups(golden / "text" / "1.0.0" / "train-*"))


@pytest.mark.parametrize("block_bytes", [1, 8 << 20])
def test_every_changed_byte_of_the_layout_is_refused(tmp_path: Path, block_bytes: int) -> None:
    path = tmp_path / "changed.tfrecord"
    row = {"page": "p" * 200, "n": 1}
    [group] = encoded([[row]]).to_pylist()
    [example] = encode_examples(pa.RecordBatch.from_pylist([row], arrow_schema(FEATURES)), FEATURES).to_pylist()
    for position in range(len(group) - len(example)):
        changed = bytearray(group)
        changed[position] ^= 0x81
        framed = frame_records(pa.array([bytes(changed)], pa.large_binary()))
        path.write_bytes(bytes(data_of(framed)))
        with pytest.raises(CorruptError, match=r"Dataset Grouper 0\.3\.0 writes it"):
            count_records(path, block_bytes)


@pytest.mark.parametrize("block_bytes", [1, 8 << 20])
def test_a_step_that_goes_past_its_group_is_refused(tmp_path: Path, block_bytes: int) -> None:
    rows = [{"page": "p" * 200, "n": 1}, {"page": "q" * 200, "n": 2}]
    records = encode_examples(pa.RecordBatch.from_pylist(rows, arrow_schema(FEATURES)), FEATURES)
    steps = bytes(data_of(encode_steps(records)))[:-1]
    group = bytes(data_of(encode_heads(np.array([len(steps)])))) + steps
    path = tmp_path / "past.tfrecord"
    path.write_bytes(bytes(data_of(frame_records(pa.array([group], pa.large_binary())))))
    with pytest.raises(CorruptError, match="not part of a group"):
        count_records(path, block_bytes)


def test_a_group_is_decoded_with_the_features_that_are_asked_for(write_shard: WriteShard) -> None:
    [group] = read_groups(write_shard([[{"page": "a", "n": 1}]]))
    assert values(group, {"page": FEATURES["page"]}) == [{"page": "a"}]
    assert values(group, {"n": FEATURES["n"]}) == [{"n": 1}]


def test_a_feature_that_is_a_list_somewhere_is_a_list() -> None:
    features = {"n": Feature(dtype="int64", shape=(None,)), "pad": Feature(dtype="string")}
    rows = [{"n": [1, 2], "pad": "x" * (9 << 20)}, {"n": [1], "pad": ""}]
    records = encode_examples(pa.RecordBatch.from_pylist(rows, arrow_schema(features)), features)
    for order in ([0, 1], [1, 0]):
        assert infer_features(records.slice(i, 1) for i in order) == features


def test_features_are_inferred_from_all_records() -> None:
    features = {
        "always": Feature(dtype="string"),
        "bytes": Feature(dtype="bytes"),
        "floats": Feature(dtype="float32", shape=(None,)),
        "maybe": Feature(dtype="int64", optional=True),
        "none": Feature(dtype="bytes", shape=(None,)),
        "pair": Feature(dtype="int64", shape=(None,)),
    }
    rows = [
        {"always": "é", "bytes": b"ok", "floats": [0.5], "maybe": None, "none": [], "pair": [1, 2]},
        {"always": "", "bytes": b"\xff", "floats": [], "maybe": 3, "none": [], "pair": [3, 4]},
    ]
    batch = pa.RecordBatch.from_pylist(rows, arrow_schema(features))
    records = encode_examples(batch, features)
    assert infer_features([records]) == features
    assert infer_features([records.slice(0, 1), records.slice(1)]) == features
    assert list(infer_features([records])) == sorted(features)
    assert infer_features([]) == {}


def test_features_of_records_that_only_protobuf_understands_are_the_same() -> None:
    features = {"page": Feature(dtype="string"), "n": Feature(dtype="int64"), "b": Feature(dtype="bytes")}
    rows = [{"page": "a", "n": 1, "b": b"\xff"}, {"page": "b", "n": 2, "b": b""}]
    records = encode_examples(pa.RecordBatch.from_pylist(rows, arrow_schema(features)), features)
    unknown_field = b"\x98\x06\x01"  # number 99: the walk does not know it
    odd = pa.array([record + unknown_field for record in records.to_pylist()], pa.large_binary())
    assert infer_features([odd]) == infer_features([records]) == {name: features[name] for name in sorted(features)}
    assert infer_features([records, odd]) == infer_features([records])


def test_a_feature_of_two_kinds_is_refused() -> None:
    batches = [
        encode_examples(pa.record_batch({"x": values}), {"x": Feature(dtype=dtype)})
        for values, dtype in ((pa.array([1]), "int64"), (pa.array(["a"]), "string"))
    ]
    with pytest.raises(ExampleError, match="'x' is of kind bytes_list in some examples and int64_list in others"):
        infer_features(batches)


@pytest.mark.parametrize("name", ["text", "tags", "digits"])
def test_an_exported_split_is_read_back(golden: Path, tmp_path: Path, name: str) -> None:
    train = groupstream.open(name, str(golden))["train"]
    done = export(train, tmp_path)
    assert len(done.files) == len(train.info.shards)
    assert sorted(tmp_path.iterdir()) == sorted([*done.files, tmp_path / "features.json"])
    found = list(read_groups(tmp_path / "train-*", "group_id"))
    assert [g.id for g in found] == [g.id for g in train]
    for theirs, ours in zip(found, train, strict=True):
        assert pa.Table.from_batches(theirs.batches(train.features)) == ours.table()


def test_a_group_larger_than_a_chunk_is_exported_as_if_it_were_small(
    make_version: Callable[..., Path], tmp_path: Path
) -> None:
    features = {"text": Feature(dtype="string")}
    texts = [str(i % 10) * (i * 3701 % 90_000) for i in range(400)]
    root = make_version([{"text": t} for t in texts], [b"large"] * 390 + [b"small"] * 10, features, num_shards=1)
    train = groupstream.open("made", str(root))["train"]
    large = next(chunk for chunk in train.stream().chunks() if chunk.is_large)
    written: list[int] = []
    done = export(train, tmp_path / "out", on_bytes=written.append)
    assert sum(written) == done.num_bytes
    assert len(written) >= 3
    [path] = done.files
    [group] = [g for g in read_groups(path, "group_id") if g.id == b"large"]
    assert [row["text"] for row in values(group, features)] == texts[:390]
    records = pa.concat_arrays([block for g in large.groups() for block in g.records()])
    expected = encode_groups(records, np.array([0, len(records)]))
    assert expected[0].as_py() in unframe(path.read_bytes(), "the shard").to_pylist()


def test_the_record_of_a_group_is_never_larger_than_foreseen() -> None:
    draw = np.random.default_rng(7)
    for scale in (1, 3, 100, 130, 20_000, 2_200_000):
        for spread in (0, 1):
            lengths = draw.integers(scale * (1 - spread), scale + 1, 500)
            body = step_lengths(lengths).sum()
            exact = int(body) + len(data_of(encode_heads(np.array([body]))))
            foreseen = int(layout.record_bytes(lengths.sum(), np.int64(len(lengths))))
            assert exact <= foreseen < exact + HEAD_BYTES + 5 * len(lengths)


def test_a_group_that_the_layout_cannot_hold_is_refused_before_anything_is_written(
    make_version: Callable[..., Path], tmp_path: Path
) -> None:
    def enlarge(table: pa.Table) -> pa.Table:
        sizes = table["num_bytes"].to_pylist()
        sizes[table["group_id"].to_pylist().index(b"whale")] = 2_000_000_000 - 50
        return table.set_column(table.schema.get_field_index("num_bytes"), table.schema.field("num_bytes"), [sizes])

    rows = [{"text": "a"}, {"text": "b"}, {"text": "c"}]
    ids = [b"whale", b"shrimp", b"shrimp"]
    root = make_version(rows, ids, {"text": Feature(dtype="string")}, change_index=enlarge)
    train = groupstream.open("made", str(root))["train"]
    message = r"group 'whale' takes up to 2,000,000,0\d\d bytes .* can hold 2,000,000,000; .* of 1 examples with"
    with pytest.raises(UsageError, match=message):
        export(train, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert export(train.filter(group_ids=["shrimp"]), tmp_path / "out").num_groups == 1


def test_features_cannot_be_chosen_for_whole_examples(golden: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds whole examples"):
        export(groupstream.open("text", str(golden))["train"].select("text"), tmp_path)
