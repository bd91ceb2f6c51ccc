"""The groups are read in blocks: the figures are those of a plain computation on all of them at once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from groupstream import Dataset
from groupstream.group_order import hash_group_ids
from groupstream.group_table import LABEL_SCHEMA, ROW_GROUP_ROWS, SCHEMA
from validation import GroupChecks
from validation.expected_groups import ExpectedGroups
from validation.group_blocks import BLOCK, group_blocks
from validation.group_labels import labels_of
from validation.group_percentiles import SizeCounts, exact_sizes, rank_of
from validation.group_summary import GroupSummary

Group = tuple[int, int, int, dict[bytes, int]]  # examples, bytes, words, labels
SplitGroups = dict[bytes, Group]

LABELS = st.dictionaries(st.sampled_from([b"a", b"b", b"c", b"-1", b"\xff"]), st.integers(1, 9), max_size=4)
SIZES = st.one_of(st.integers(0, 9), st.integers(0, 1 << 20), st.integers(0, 1 << 50))
GROUPS = st.dictionaries(
    st.integers(0, 30).map(b"g%d".__mod__), st.tuples(st.integers(1, 9), SIZES, SIZES, LABELS), max_size=20
)


def tables_of(groups: SplitGroups) -> tuple[pa.Table, pa.Table]:
    """The group table and the label table of a split."""
    hashes = hash_group_ids(groups, 0)
    order = sorted(zip(map(bytes, hashes), groups, strict=True))
    rows, label_rows = [], []
    for number, (hashed, group_id) in enumerate(order):
        examples, num_bytes, words, labels = groups[group_id]
        rows.append(
            dict.fromkeys(SCHEMA.names, 0)
            | {"group_id": group_id, "group_hash": hashed}
            | {"num_examples": examples, "num_bytes": num_bytes, "num_words": words}
        )
        label_rows += [
            {"group_row": number, "label": label, "num_examples": count} for label, count in sorted(labels.items())
        ]
    return pa.Table.from_pylist(rows, SCHEMA), pa.Table.from_pylist(label_rows, LABEL_SCHEMA)


@pytest.fixture
def dataset(tables_as_version: Callable[..., Dataset]) -> Callable[[Sequence[SplitGroups]], Dataset]:
    def make(splits: Sequence[SplitGroups]) -> Dataset:
        tables = {f"split{number}": tables_of(groups) for number, groups in enumerate(splits)}
        return tables_as_version(
            {name: table for name, (table, _) in tables.items()},
            {name: labels for name, (_, labels) in tables.items()},
        )

    return make


def read(dataset: Dataset, block_groups: int) -> np.ndarray:
    splits = [dataset[name] for name in dataset]
    blocks = list(group_blocks(splits, labels_of(splits), block_groups))
    assert all(len(block) == block_groups for block in blocks[:-1])
    return np.concatenate([np.empty(0, BLOCK), *blocks])


@given(st.lists(GROUPS, min_size=1, max_size=4), st.integers(1, 40))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_groups_of_several_splits_are_summed(
    dataset: Callable[..., Dataset], splits: list[SplitGroups], block_groups: int
) -> None:
    found = read(dataset(splits), block_groups)
    ids = sorted({group_id for groups in splits for group_id in groups}, key=lambda i: bytes(hash_group_ids([i], 0)[0]))
    assert found["hash"].tobytes() == hash_group_ids(ids, 0).tobytes()
    for number, name in enumerate(("examples", "bytes", "words")):
        assert found[name].tolist() == [sum(s[i][number] for s in splits if i in s) for i in ids]
    assert found["splits"].tolist() == [sum(i in s for s in splits) for i in ids]
    assert not found["repeats"].any()
    first = [next(number for number, s in enumerate(splits) if i in s) for i in ids]
    assert found["split"].tolist() == first
    tables = [tables_of(groups)[0]["group_id"].to_pylist() for groups in splits]
    assert [tables[group["split"]][group["row"]] for group in found] == ids
    _assert_labels(found, [sum((Counter(s[i][3]) for s in splits if i in s), Counter()) for i in ids])


def _assert_labels(found: np.ndarray, labels: Sequence[Counter[bytes]]) -> None:
    overall = sum(labels, Counter[bytes]())
    assert found["labels"].tolist() == list(map(len, labels))
    assert found["labelled"].tolist() == [counter.total() for counter in labels]
    moved = [
        sum(abs(counter[label] - counter.total() * overall[label] / overall.total()) for label in overall) / 2
        for counter in labels
    ]
    np.testing.assert_allclose(found["moved"], moved, atol=1e-9)


@given(
    st.lists(st.one_of(st.integers(0, 70_000), st.integers(0, (1 << 62) - 1), st.just(1 << 17)), min_size=1),
    st.lists(st.floats(0, 100), min_size=1, max_size=4),
    st.integers(1, 9),
)
@example([1 << 20, (1 << 20) + 1, (1 << 20) + 1, (1 << 20) + 2], [0, 33.4, 100], 2)
@settings(deadline=None)
def test_percentiles_are_those_of_numpy(sizes: list[int], percents: list[float], num_blocks: int) -> None:
    block = np.zeros(len(sizes), BLOCK)
    block["bytes"] = sizes
    blocks = np.array_split(block, num_blocks)
    counts = SizeCounts()
    for part in blocks:
        counts.add(part["bytes"])
    ranges = [counts.range_at(rank_of(percent, len(sizes)), "bytes") for percent in percents]
    expected = np.sort(np.array(sizes))  # np.quantile makes floats of large integers
    ranks = np.quantile(np.arange(len(sizes)), np.array(percents) / 100, method="lower")
    assert exact_sizes(ranges, blocks) == expected[ranks.astype(int)].tolist()
    for one in ranges:
        assert one.stop - one.start <= max(1, one.start >> 15)


def test_small_percentiles_are_known_without_reading_again() -> None:
    def again() -> Iterator[np.ndarray]:
        raise AssertionError("read again")
        yield

    counts = SizeCounts()
    counts.add(np.array([1, 65_535, 1 << 40]))
    assert exact_sizes([counts.range_at(1, "bytes")], again()) == [65_535]
    with pytest.raises(AssertionError, match="read again"):
        exact_sizes([counts.range_at(2, "bytes")], again())


def test_groups_of_many_row_groups_are_aligned(tables_as_version: Callable[..., Dataset]) -> None:
    draw = np.random.default_rng(7)
    tables, labels, expected = {}, {}, defaultdict[bytes, list[int]](lambda: [0, 0, 0])
    for name, count in (("train", 3 * ROW_GROUP_ROWS), ("validation", 40), ("test", ROW_GROUP_ROWS + 1)):
        ids = np.sort(draw.choice(40_000, count, replace=False))
        hashes = np.array([int(i).to_bytes(16, "big") for i in ids], object)
        sizes = draw.integers(1, 100, count)
        fields: dict[str, Any] = {column: np.zeros(count, np.int64) for column in SCHEMA.names} | {
            "group_id": hashes,
            "group_hash": hashes,
            "num_examples": sizes,
        }
        tables[name] = pa.table([pa.array(fields[f.name], f.type) for f in SCHEMA], schema=SCHEMA)
        rows = np.repeat(np.arange(count), 2)
        labels[name] = pa.table([rows, pa.array([b"a", b"b"] * count), np.ones(2 * count, np.int64)], LABEL_SCHEMA)
        for hashed, size in zip(hashes.tolist(), sizes.tolist(), strict=True):
            group = expected[hashed]
            group[:] = [group[0] + size, group[1] + 1, group[2] + 2]
    found = read(tables_as_version(tables, labels), 10_000)
    assert len(found) == len(expected)
    in_order = [expected[key] for key in sorted(expected)]
    assert found[["examples", "splits", "labelled"]].tolist() == list(map(tuple, in_order))
    assert set(found["labels"].tolist()) == {2}


def test_rows_of_one_group_in_two_row_groups_are_one_group(tables_as_version: Callable[..., Dataset]) -> None:
    numbers = [*range(ROW_GROUP_ROWS), *range(ROW_GROUP_ROWS - 1, ROW_GROUP_ROWS + 5)]
    hashes = pa.array([number.to_bytes(16, "big") for number in numbers], pa.binary(16))
    ones = np.ones(len(numbers), np.int64)
    columns = dict.fromkeys(SCHEMA.names, ones) | {"group_hash": hashes, "group_id": hashes.cast(pa.binary())}
    dataset = tables_as_version({"train": pa.table([pa.array(columns[f.name], f.type) for f in SCHEMA], schema=SCHEMA)})
    [block] = group_blocks([dataset["train"]])
    assert len(block) == len(numbers) - 1
    assert block["row"][block["repeats"] == 1].tolist() == [ROW_GROUP_ROWS - 1]
    assert (block["repeats"].sum(), block["examples"].sum()) == (1, len(numbers))


def test_blocks_add_up_to_the_same_summary() -> None:
    draw = np.random.default_rng(3)
    block = np.zeros(1000, BLOCK)
    for name in ("examples", "bytes", "words", "splits", "repeats", "labels", "labelled"):
        block[name] = draw.integers(0, 5, len(block))
    block["moved"] = block["labelled"] / 4
    whole, parts = GroupSummary(), GroupSummary()
    whole.add(block)
    for part in np.array_split(block, 7):
        parts.add(part)
    assert parts == whole
    assert whole.share_of_largest == 4 / block["examples"].sum()
    assert whole.share_of_singletons == np.mean(block["examples"] == 1)
    assert (whole.num_repeated, whole.num_in_several_splits) == (sum(block["repeats"] > 0), sum(block["splits"] > 1))
    assert whole.label_distance == 0.25
    assert (whole.least["words"], whole.greatest["labels"]) == (0, 4)


@given(st.sets(st.integers(0, 50)), st.lists(st.integers(0, 50)), st.integers(1, 9))
def test_missing_ids_are_those_that_no_block_has(there: set[int], expected: list[int], num_blocks: int) -> None:
    hashes = np.sort(hash_group_ids([b"%d" % i for i in there], 5).reshape(-1).view("S16"))
    groups = ExpectedGroups(GroupChecks(expected=tuple(map(str, expected))), 5)
    for part in np.array_split(hashes, num_blocks):
        groups.find(part)
    missing = [b"%d" % i for i in dict.fromkeys(expected) if i not in there]
    assert (len(groups), groups.num_missing) == (len(set(expected)), len(missing))
    assert groups.missing(3) == missing[:3]
