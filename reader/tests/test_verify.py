from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import groupstream
from groupstream import CorruptError, Feature
from groupstream.commit import describe_file
from groupstream.manifest import Manifest
from groupstream.verify import verify

FEATURES = {"n": Feature(dtype="int64")}
IDS = [b"g%d" % (i % 30) for i in range(100)]


def verify_in(root: Path, name: str) -> int:
    return verify(groupstream.open(name, str(root)))


def test_verify_reads_every_byte_of_every_file(golden: Path) -> None:
    dataset = groupstream.open("text", str(golden))
    read: list[int] = []
    assert verify(dataset, read.append) == 40
    shards = sum(shard.size_bytes for shard in dataset.manifest.splits["train"].shards)
    assert sum(read) == sum(file.size_bytes for file in dataset.manifest.all_files()) + shards  # once more, as groups


@pytest.mark.parametrize("name", ["text", "tags", "digits"])
def test_a_changed_byte_anywhere_is_found(golden_copy: Path, name: str) -> None:
    folder = golden_copy / name / "1.0.0"
    draw = random.Random(name)
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "claim.json"):
        content = path.read_bytes()
        for position in draw.sample(range(len(content)), 30):
            broken = bytearray(content)
            broken[position] ^= 1 << draw.randrange(8)
            path.write_bytes(broken)
            with pytest.raises(CorruptError, match=path.name):
                verify_in(golden_copy, name)
        path.write_bytes(content)
    assert verify_in(golden_copy, name)


@pytest.mark.parametrize(
    "change", [lambda c: c[:-1], lambda c: c + b"\0", lambda c: b""], ids=["cut", "longer", "empty"]
)
def test_a_file_of_another_size_is_found(golden_copy: Path, change: Callable[[bytes], bytes]) -> None:
    folder = golden_copy / "text" / "1.0.0"
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in ("claim.json", "manifest.json")):
        content = path.read_bytes()
        path.write_bytes(change(content))
        with pytest.raises(CorruptError, match=rf"{path.name} has size_bytes \d+, its manifest says \d+"):
            verify_in(golden_copy, "text")
        path.write_bytes(content)


def test_a_missing_file_is_found(golden_copy: Path) -> None:
    path = golden_copy / "text" / "1.0.0" / "report" / "card.html"
    path.unlink()
    with pytest.raises(CorruptError, match=f"{path} is missing"):
        verify_in(golden_copy, "text")


def resigned(root: Path, replace: dict[str, Path]) -> None:
    """Puts other files into text@1.0.0 and describes them in its manifest, as a builder with a fault would."""
    folder = root / "text" / "1.0.0"
    fields = json.loads((folder / "manifest.json").read_bytes())
    split = fields["splits"]["train"]
    for file in [*split["shards"], split["group_table"]]:
        if file["path"] in replace:
            content = replace[file["path"]].read_bytes()
            (folder / file["path"]).write_bytes(content)
            file.update(describe_file(file["path"], content).model_dump())
    (folder / "manifest.json").write_bytes(Manifest.model_validate(fields).to_json())


def test_the_index_of_another_dataset_is_found(golden_copy: Path) -> None:
    other = golden_copy / "tags" / "1.0.0"
    resigned(golden_copy, {"train.groups.parquet": other / "train.groups.parquet"})
    with pytest.raises(CorruptError, match="does not add up to the statistics"):
        verify_in(golden_copy, "text")


def test_shards_in_each_others_place_are_found(golden_copy: Path) -> None:
    folder = golden_copy / "digits" / "1.0.0"
    first, second = sorted(folder.glob("*.tfrecord"))
    fields = json.loads((folder / "manifest.json").read_bytes())
    contents = second.read_bytes(), first.read_bytes()
    for path, content, shard in zip((first, second), contents, fields["splits"]["train"]["shards"], strict=True):
        path.write_bytes(content)
        shard.update(describe_file(path.name, content).model_dump())
    (folder / "manifest.json").write_bytes(Manifest.model_validate(fields).to_json())
    with pytest.raises(CorruptError):
        verify_in(golden_copy, "digits")


def set_column(table: pa.Table, name: str, values: Any) -> pa.Table:
    place = table.schema.get_field_index(name)
    return table.set_column(place, table.schema.field(place), pa.array(values, table.schema.field(place).type))


def swap_ids(table: pa.Table) -> pa.Table:
    ids, hashes = table["group_id"].to_pylist(), table["group_hash"].to_pylist()
    ids[0], ids[1], hashes[0], hashes[1] = ids[1], ids[0], hashes[1], hashes[0]
    return set_column(set_column(table, "group_id", ids), "group_hash", hashes)


def rename(table: pa.Table) -> pa.Table:
    return set_column(table, "group_id", [b"x" + i for i in table["group_id"].to_pylist()])


def move_between_groups(**amounts: int) -> Callable[[pa.Table], pa.Table]:
    """Totals stay, so that only a look at the groups themselves tells."""

    def change(table: pa.Table) -> pa.Table:
        first, second = np.flatnonzero(table["shard_index"].to_numpy() == 0)[:2]
        for name, amount in amounts.items():
            values = table[name].to_numpy().copy()
            values[first] += amount
            values[second] -= amount
            table = set_column(table, name, values)
        return table

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (swap_ids, "is not in the order of the hashes"),
        (rename, "is not in the order of the hashes"),
        (lambda t: set_column(t, "group_hash", t["group_hash"].to_pylist()[::-1]), "is not in the order of the hashes"),
        (lambda t: set_column(t, "shard_index", np.zeros(len(t), np.int32)), "is not in the order of the hashes"),
        (lambda t: set_column(t, "offset_bytes", t["offset_bytes"].to_numpy() + 1), "do not fill it"),
        (move_between_groups(length_bytes=1), "cannot have the sizes"),
        (move_between_groups(length_bytes=1, num_bytes=1), "do not fill it"),
        (move_between_groups(num_examples=1), "cannot have the sizes that the index says: length_bytes 1"),
        (move_between_groups(num_examples=1, num_bytes=-16), r"should have \d+ examples, \d+ were read"),
    ],
)
@pytest.mark.parametrize("rows", [7, 1 << 13])
def test_an_index_that_is_wrong_is_found(
    make_version: Any, change: Callable[[pa.Table], pa.Table], message: str, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("groupstream.group_table.ROW_GROUP_ROWS", rows)
    root = make_version([{"n": n} for n in range(100)], IDS, FEATURES, change)
    with pytest.raises(CorruptError, match=message):
        verify_in(root, "made")


def test_a_version_made_up_on_the_spot_is_as_it_was_written(make_version: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groupstream.group_table.ROW_GROUP_ROWS", 7)
    root = make_version([{"n": n} for n in range(100)], IDS, FEATURES, num_shards=5)
    assert verify_in(root, "made") == 100


def test_examples_that_name_no_group_are_found(make_version: Any) -> None:
    root = make_version([{"n": n} for n in range(100)], IDS, FEATURES, group_feature="key")
    with pytest.raises(CorruptError, match=r"an example of group None stands where the index places group b'g"):
        verify_in(root, "made")
