"""Of a large version a sample is read: always the same one, within its bytes, and from every shard."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pyarrow as pa
import pytest

import groupstream
from groupstream import Dataset, Feature, layout
from groupstream.commit import describe_file
from groupstream.group_order import hash_group_ids
from groupstream.group_table import SCHEMA, statistics_of, write_group_table
from groupstream.manifest import CheckResult, Counts, Manifest, Shard, SplitInfo
from groupstream.refs import Location
from groupstream.stores import LocalStore
from groupstream.testing import ReadLog, WrappedStore
from groupstream.verify import Extent, check_files
from groupstream.verify_sample import draw_sample

SAMPLE_BYTES = 512 << 10
WINDOW_BYTES = 64 << 10
KEPT_BYTES = 64 << 10  # what is read of the first group of each shard, however small the sample
FEATURES = {"data": Feature(dtype="bytes")}


@pytest.fixture
def large(make_version: Any) -> Path:
    """The folder of a version of 5 shards, 4,000 groups and 8 MB: many times the sample."""
    draw = np.random.default_rng(0)
    examples = [{"data": draw.bytes(int(size))} for size in draw.integers(0, 2_000, 8_000)]
    ids = [b"g%d" % (n % 4_000) for n in range(8_000)]
    return make_version(examples, ids, FEATURES, num_shards=5) / "made" / "1.0.0"


def logged(folder: Path, log: ReadLog, **changes: Any) -> Dataset:
    """The version, read through a log."""
    store = WrappedStore(LocalStore(folder.parent), log.note)
    manifest = Manifest.from_json((folder / layout.MANIFEST).read_bytes(), "")
    return Dataset(Location(store, folder.name), manifest.model_copy(update=changes))


def sampled(dataset: Dataset, sample_bytes: int = SAMPLE_BYTES) -> dict[str, CheckResult]:
    return {each.name: each for each in check_files(dataset, full=False, sample_bytes=sample_bytes)}


def test_a_sample_is_read_and_told(large: Path) -> None:
    results = sampled(groupstream.open(large))
    assert all(result.passed for result in results.values())
    assert re.fullmatch(r"1 of 6 files, [1-9]\d\d kB of 8\.\d MB, sampled", results["checksums"].observed)
    number, of_all = results["groups"].observed.split(" of 4,000 groups, ")
    assert 100 < int(number) < 400
    assert of_all.endswith(" of 8.5 MB, sampled")
    assert results["order of the index"].observed == "4,000 groups in 5 shards", "the index is always read whole"


@pytest.mark.parametrize("sample_bytes", [64 << 10, SAMPLE_BYTES, 2 << 20, 8 << 20])
def test_no_more_is_read_than_was_asked_for(large: Path, tmp_path: Path, cache: Path, sample_bytes: int) -> None:
    log = ReadLog(tmp_path / "log")
    dataset = logged(large, log)
    results = sampled(dataset, sample_bytes)
    assert all(result.passed for result in results.values())
    size = max(shard.size_bytes for shard in dataset.manifest.splits["train"].shards)
    read_whole = sample_bytes // size * size
    read = log.num_bytes(".tfrecord")
    assert read <= read_whole + sample_bytes
    assert read >= read_whole * 0.9 + sample_bytes * 0.8 - WINDOW_BYTES


def test_groups_of_every_shard_are_in_every_sample(large: Path) -> None:
    split = groupstream.open(large)["train"]
    table = split.group_table()
    shards, offsets = table["shard_index"].to_numpy(), table["offset_bytes"].to_numpy()
    is_last = np.append(shards[1:] != shards[:-1], True)
    for sample_bytes in (1, 64 << 10, SAMPLE_BYTES):
        chosen = draw_sample(split, sample_bytes, seed=1).rows(shards, offsets)
        assert chosen[offsets == 0].all(), "the first"
        assert chosen[is_last].all() == (sample_bytes > 1), "and the last, where there is room"
        assert table["length_bytes"].to_numpy()[chosen].sum() <= max(sample_bytes, 5 * KEPT_BYTES)


def test_the_sample_is_a_function_of_the_digest(large: Path, tmp_path: Path, cache: Path) -> None:
    reads = []
    for number, digest in enumerate(["0" * 64, "0" * 64, "1" * 64]):
        log = ReadLog(tmp_path / f"log {number}")
        assert all(
            result.passed or result.name == "manifest" for result in sampled(logged(large, log, digest=digest)).values()
        )
        reads.append({read for read in log.reads() if read[0].endswith(".tfrecord")})
    assert reads[0] == reads[1]
    assert reads[0] != reads[2]


def test_all_places_are_drawn_as_often(large: Path) -> None:
    split = groupstream.open(large)["train"]
    table = split.group_table(["shard_index", "offset_bytes", "length_bytes"])
    shards, offsets = table["shard_index"].to_numpy(), table["offset_bytes"].to_numpy()
    draws = [draw_sample(split, 2 << 20, seed).rows(shards, offsets) for seed in range(60)]
    often = np.add.reduce(draws, dtype=int)
    inner = (offsets > 0) & np.append(shards[1:] == shards[:-1], False)
    share = often[inner].mean() / 60
    assert 0.15 < share < 0.3
    assert often[inner].max() <= 60 * share + 6 * np.sqrt(60 * share * (1 - share))
    assert (often[inner] == 0).mean() < 0.01


@pytest.mark.parametrize("where", ["first", "last"])
def test_a_changed_byte_in_a_sampled_group_is_found(large: Path, where: str) -> None:
    for path in sorted(large.glob("*.tfrecord")):
        content = bytearray(path.read_bytes())
        content[20 if where == "first" else -20] ^= 1
        path.write_bytes(content)
    results = sampled(groupstream.open(large))
    assert not results["groups"].passed
    assert len(results["groups"].offenders) == 5
    assert "CRC of the data" in results["groups"].offenders[0]


def test_with_full_all_is_read(large: Path, tmp_path: Path, cache: Path) -> None:
    log = ReadLog(tmp_path / "log")
    dataset = logged(large, log)
    read: list[int] = []
    results = check_files(dataset, full=True, sample_bytes=SAMPLE_BYTES, on_bytes=read.append)
    assert all(result.passed for result in results)
    size = sum(shard.size_bytes for shard in dataset.manifest.splits["train"].shards)
    assert log.num_bytes(".tfrecord") == 2 * size
    assert sum(read) == Extent(full=True).planned_bytes(dataset.manifest)
    assert results[-1].observed == "4,000 groups, 8.5 MB"


def test_a_version_as_small_as_a_sample_is_read_whole(large: Path) -> None:
    assert sampled(groupstream.open(large), 9 << 20)["groups"].observed == "4,000 groups, 8.5 MB"


def test_ids_are_hashed_again_as_far_as_is_asked_for(large: Path) -> None:
    [order] = [r for r in check_files(groupstream.open(large), full=False, max_hashed=100) if "order" in r.name]
    assert order.passed
    assert order.observed == "4,000 groups in 5 shards, 100 ids hashed again"


HUGE_BYTES = 3 << 30


@pytest.fixture
def huge(tmp_path: Path) -> Path:
    """The folder of a version of two groups of one record of 3 GiB each, in shards that take no room on the disk."""
    folder = tmp_path / "huge" / "1.0.0"
    folder.mkdir(parents=True)
    ids = _ids_of_two_shards()
    for shard in range(2):
        _write_sparse_record(folder / layout.shard_file("train", shard, 2))
    columns = [ids, [h.tobytes() for h in hash_group_ids(ids, 0)], [0, 1], [0, 0]]
    columns += [[HUGE_BYTES + 16] * 2, [1, 1], [HUGE_BYTES] * 2, [0, 0]]
    table = pa.table([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)
    write_group_table(folder / "train.groups.parquet", [table])
    shards = tuple(
        Shard(
            path=layout.shard_file("train", shard, 2),
            size_bytes=HUGE_BYTES + 16,
            crc32c="0" * 8,
            sha256="0" * 64,
            num_groups=1,
            num_examples=1,
        )
        for shard in range(2)
    )
    index = describe_file("train.groups.parquet", folder / "train.groups.parquet")
    manifest = Manifest(
        name="huge",
        version="1.0.0",
        digest="",
        spec={},
        source={},
        code={},
        seed=0,
        features=FEATURES,
        group_feature="group_id",
        splits={"train": SplitInfo(shards=shards, group_table=index, statistics=statistics_of(table))},
        counts=Counts(examples_in=2, examples_out=2),
    )
    (folder / layout.MANIFEST).write_bytes(manifest.to_json())
    return folder


def _ids_of_two_shards() -> list[bytes]:
    """One whose hash is in the lower half, and one in the upper."""
    ids = [b"%d" % n for n in range(20)]
    first = hash_group_ids(ids, 0)[:, 0]
    return [ids[int(np.argmin(first))], ids[int(np.argmax(first))]]


def _write_sparse_record(path: Path) -> None:
    header = struct.pack("<Q", HUGE_BYTES)
    crc = google_crc32c.value(header)
    with open(path, "wb") as file:
        file.write(header + struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF))
        file.truncate(HUGE_BYTES + 16)


def test_of_a_group_of_gigabytes_the_beginning_is_read(huge: Path, tmp_path: Path, cache: Path) -> None:
    log = ReadLog(tmp_path / "log")
    results = sampled(logged(huge, log))
    assert all(result.passed for result in results.values()), results
    assert log.num_bytes(".tfrecord") == 2 * KEPT_BYTES
    assert results["groups"].observed == "2 of 2 groups (the beginning only of 2), 131 kB of 6.4 GB, sampled"


def test_a_group_of_gigabytes_whose_beginning_is_wrong_is_found(huge: Path) -> None:
    for path in sorted(huge.glob("*.tfrecord")):
        with open(path, "r+b") as file:
            file.write(b"\1")
    results = sampled(groupstream.open(huge))
    assert not results["groups"].passed
    assert len(results["groups"].offenders) == 2


@pytest.fixture
def long_group(make_version: Any) -> Any:
    """Makes a version of one group of 400 records, 460 kB together."""

    def make(**fields: Any) -> Path:
        return (
            make_version([{"data": bytes(1_100)}] * 400, [b"g"] * 400, FEATURES, num_shards=1, **fields)
            / "made"
            / "1.0.0"
        )

    return make


def test_the_records_at_the_beginning_of_a_long_group_are_read(long_group: Any) -> None:
    folder = long_group()
    results = sampled(groupstream.open(folder), 1)
    assert results["groups"].passed
    assert results["groups"].observed == "1 of 1 group (the beginning only of 1), 65.5 kB of 463 kB, sampled"
    path = folder / "train-00000-of-00001.tfrecord"
    content = bytearray(path.read_bytes())
    content[60_000] ^= 1
    path.write_bytes(content)
    assert "CRC of the data" in sampled(groupstream.open(folder), 1)["groups"].offenders[0]
    path.write_bytes(content[:50_000])
    assert "cut short" in sampled(groupstream.open(folder), 1)["groups"].offenders[0]


def test_the_records_at_the_beginning_of_a_long_group_name_it(long_group: Any) -> None:
    results = sampled(groupstream.open(long_group(group_feature="key")), 1)
    assert results["groups"].offenders == (
        "group 'g' of train: an example of group None stands where the index places group b'g'",
    )
