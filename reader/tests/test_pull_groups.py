"""Some groups of a version, as a small version of their own."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import groupstream
from groupstream import ConflictError, CorruptError, Feature, UnknownKeyError, UsageError
from groupstream.pulling.copy_groups import BLOCK_BYTES, GAP_BYTES, Piece, in_requests, place_groups
from groupstream.pulling.groups import plan_groups
from groupstream.pulling.version import plan_pull
from groupstream.refs import Location
from groupstream.stores import LocalStore
from groupstream.testing import ReadLog, WrappedStore
from groupstream.verify import verify


@pytest.fixture(autouse=True)
def _own_cache(cache: Path) -> None:
    assert not cache.exists()


def records(dataset: groupstream.Dataset, split: str, group_id: bytes) -> list[bytes]:
    return [record for block in dataset[split].group(group_id).records() for record in block.to_pylist()]


@pytest.mark.parametrize("shard_bytes", [1, 3000, 1 << 30])
@pytest.mark.parametrize("draw", range(4))
def test_the_groups_are_those_of_the_version(two_splits: Path, tmp_path: Path, draw: int, shard_bytes: int) -> None:
    everything = groupstream.open("wide", str(two_splits))
    ids = {split: [group.id for group in everything[split]] for split in everything}
    chosen = random.Random(draw).sample(sorted(set(ids["train"]) | set(ids["test"])), 1 + 5 * draw)
    planned = plan_groups(Location(LocalStore(two_splits), "wide/1.0.0"), chosen, to=tmp_path / "to")
    planned.run(shard_bytes=shard_bytes)
    small = groupstream.open("wide@1.0.0", str(tmp_path / "to"))
    assert verify(small) == small.manifest.counts.examples_out
    for split in ids:
        expected = [group_id for group_id in ids[split] if group_id in chosen]
        assert expected == ([group.id for group in small[split]] if split in small else [])
        for group_id in expected:
            assert records(small, split, group_id) == records(everything, split, group_id)
            for what in ("num_examples", "num_bytes", "num_words"):
                assert getattr(small[split].group(group_id), what) == getattr(everything[split].group(group_id), what)


def test_a_small_version_says_of_what_it_is(two_splits: Path, cache: Path) -> None:
    whole = groupstream.open("wide", str(two_splits)).manifest
    small = groupstream.pull("wide", str(two_splits), group_ids=["g26", b"g27", "g27"])
    manifest = small.manifest
    assert list(small) == ["test", "train"]
    assert manifest.ref == "wide@1.0.0"
    assert manifest.source == {"kind": "groups", "ref": "wide@1.0.0", "digest": whole.digest, "num_groups": 4}
    assert manifest.counts.examples_in == 360
    assert manifest.counts.dropped == {"not_asked_for": 360 - 30}
    assert manifest.counts.examples_out == 30 == verify(small)
    assert manifest.digest != whole.digest
    assert (manifest.features, manifest.seed) == (whole.features, whole.seed)
    assert Path(small.location).is_relative_to(cache / "groups")


def test_groups_are_taken_of_the_splits_that_were_asked_for(two_splits: Path) -> None:
    small = groupstream.pull("wide", str(two_splits), group_ids=["g26"], splits=["test"])
    assert list(small) == ["test"]
    assert small.manifest.counts.examples_in == 60


def test_groups_that_are_not_there_are_named(two_splits: Path, cache: Path) -> None:
    with pytest.raises(UnknownKeyError, match=r"no group 'g30' in train: 1 of the 2 that were asked for. See some"):
        groupstream.pull("wide", str(two_splits), group_ids=["g1", "g30"], splits=["train"])
    with pytest.raises(UnknownKeyError, match=r"'x0', 'x1', 'x2', 'x3', 'x4', ... in test, train: 9 of the 9"):
        groupstream.pull("wide", str(two_splits), group_ids=[f"x{n}" for n in range(9)])
    with pytest.raises(UnknownKeyError, match="has no split 'x'"):
        groupstream.pull("wide", str(two_splits), group_ids=["g1"], splits=["x"])
    with pytest.raises(UsageError, match=r"no group of wide@1.0.0 was asked for; see some with: groupstream head"):
        groupstream.pull("wide", str(two_splits), group_ids=[])
    assert not (cache / "groups").exists()


def test_other_groups_get_another_folder_and_the_same_ones_are_there_already(two_splits: Path, tmp_path: Path) -> None:
    log = ReadLog(tmp_path / "log")
    location = Location(WrappedStore(LocalStore(two_splits), log.note), "wide/1.0.0")
    first = plan_groups(location, ["g1", "g2"])
    first.run()
    read = log.num_bytes("tfrecord")
    assert read >= first.size_bytes
    again = plan_groups(location, ["g2", "g1"])
    assert again.missing_bytes() == 0
    again.run()
    assert (again.folder, log.num_bytes("tfrecord")) == (first.folder, read)
    assert plan_groups(location, ["g1"]).folder != first.folder
    assert plan_groups(location, ["g1", "g2"], ["train"]).folder != first.folder


def test_what_was_removed_of_a_small_version_is_brought_again(two_splits: Path, cache: Path) -> None:
    small = groupstream.pull("wide", str(two_splits), group_ids=["g1", "g26"])
    for path in Path(small.location).glob("t*"):
        path.unlink()
    assert verify(groupstream.pull("wide", str(two_splits), group_ids=["g1", "g26"])) == 25


def test_groups_do_not_take_the_place_of_another_version(two_splits: Path, tmp_path: Path) -> None:
    location = Location(LocalStore(two_splits), "wide/1.0.0")
    plan_pull(location, to=tmp_path / "whole").run()
    with pytest.raises(ConflictError, match=rf"{tmp_path}/whole/wide/1.0.0 is another version than these groups of"):
        plan_groups(location, ["g1"], to=tmp_path / "whole").run()
    assert verify(groupstream.open("wide", str(tmp_path / "whole"))) == 360
    plan_groups(location, ["g1"], to=tmp_path / "small").run()
    with pytest.raises(ConflictError, match="is not what was pulled to"):
        plan_pull(location, to=tmp_path / "small").run()
    with pytest.raises(ConflictError, match="is another version than these groups"):
        plan_groups(location, ["g2"], to=tmp_path / "small").run()


class FlipsBits:
    """Changes a bit in the last byte of the first reads of shards: within the CRC of a record."""

    def __init__(self, times: int) -> None:
        self.times = times

    def __call__(self, path: str, offset: int, data: bytes) -> bytes:
        if not path.endswith("tfrecord") or not self.times:
            return data
        self.times -= 1
        return data[:-1] + bytes([data[-1] ^ 4])


def test_wrong_bytes_are_brought_once_more_and_then_refused(two_splits: Path, tmp_path: Path) -> None:
    flips = FlipsBits(times=1)
    planned = plan_groups(
        Location(WrappedStore(LocalStore(two_splits), flips), "wide/1.0.0"), ["g1", "g7"], to=tmp_path / "to"
    )
    flips.times = 99
    with pytest.raises(CorruptError, match=rf"{two_splits}/wide/1.0.0, some groups of train, byte \d+: the CRC of"):
        planned.run()
    assert not [p for p in (tmp_path / "to").rglob("*") if p.is_file()]
    flips.times = 1
    planned.run()
    assert flips.times == 0
    assert verify(groupstream.open("wide", str(tmp_path / "to"))) == 20


def test_groups_elsewhere_than_the_index_says_are_found(make_version: Any, tmp_path: Path) -> None:
    """The CRCs are right, but the bytes are of other groups."""

    def shift(table: Any) -> Any:
        place = table.schema.get_field_index("num_examples")
        counts = table["num_examples"].to_pylist()
        counts[0], counts[1] = counts[0] + 1, counts[1] - 1
        return table.set_column(
            place, table.schema.field(place), type(table["num_examples"].chunk(0)).from_pandas(counts)
        )

    root = make_version(
        [{"n": n} for n in range(40)], [b"g%d" % (n % 8) for n in range(40)], {"n": Feature(dtype="int64")}, shift
    )
    ids = groupstream.open("made", str(root))["train"].group_table().column("group_id").to_pylist()
    with pytest.raises(CorruptError, match=rf"group '{ids[0].decode()}' is not where the index places it"):
        groupstream.pull("made", str(root), group_ids=ids)


def test_neighbours_are_read_with_one_request(two_splits: Path, tmp_path: Path) -> None:
    log = ReadLog(tmp_path / "log")
    location = Location(WrappedStore(LocalStore(two_splits), log.note), "wide/1.0.0")
    planned = plan_groups(location, [f"g{n}" for n in range(30)], ["train"])
    before = len(log.reads())
    planned.run()
    assert sorted(log.reads()[before:]) == [
        (f"wide/1.0.0/{shard.path}", 0, shard.size_bytes) for shard in planned.manifest.splits["train"].shards
    ]


def test_requests_are_cut_at_shards_at_gaps_and_at_blocks() -> None:
    far = 100 + GAP_BYTES
    pieces = [
        Piece(0, 0, 50, 0, 0),
        Piece(0, 100, 50, 0, 50),
        Piece(0, 150 + far, 50, 0, 100),
        Piece(1, 150 + far + 50, 50, 0, 150),
        Piece(1, 150 + far + 100, BLOCK_BYTES, 0, 200),
    ]
    assert list(in_requests(iter(pieces))) == [pieces[:2], pieces[2:3], pieces[3:4], pieces[4:]]
    assert list(in_requests(iter([]))) == []


def test_places_follow_each_other_in_their_shards() -> None:
    places = place_groups(np.array([5, 7, 1, 2]), np.array([0, 0, 2, 2]), 4)
    assert places.offset_bytes.tolist() == [0, 5, 0, 1]
    assert places.shard_bytes.tolist() == [12, 0, 3, 0]


def test_a_group_larger_than_a_block_comes_whole(make_version: Any, tmp_path: Path) -> None:
    size = BLOCK_BYTES // 4 + 1000
    examples = [{"n": np.random.default_rng(n).bytes(size)} for n in range(9)]
    ids = [b"large"] * 7 + [b"small", b"x"]
    root = make_version(examples, ids, {"n": Feature(dtype="bytes")})
    log = ReadLog(tmp_path / "log")
    location = Location(WrappedStore(LocalStore(root), log.note), "made/1.0.0")
    plan_groups(location, ["large", "x"], to=tmp_path / "to").run(connections=2)
    assert max(length for _, _, length in log.reads()) <= BLOCK_BYTES
    small = groupstream.open("made", str(tmp_path / "to"))
    assert [example["n"] for example in small["train"].group("large").examples()] == [e["n"] for e in examples[:7]]
    assert verify(small) == 8


def test_tensorflow_datasets_opens_it(two_splits: Path) -> None:
    tfds = pytest.importorskip("tensorflow_datasets")
    small = groupstream.pull("wide", str(two_splits), group_ids=["g3", "g26"])
    builder = tfds.builder_from_directory(small.location)
    for split in small:
        found = [int(example["n"]) for example in tfds.as_numpy(builder.as_dataset(split=split))]
        assert sorted(found) == sorted(e["n"] for group in small[split] for e in group.examples())
