"""Checks of groups: each is seen to pass, and to fail on groups made to break it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from groupstream import CorruptError, Dataset, SpecError
from groupstream.group_order import hash_group_ids
from groupstream.group_table import LABEL_SCHEMA, SCHEMA
from groupstream.manifest import CheckResult
from validation import GroupChecks
from validation.groups import check_groups

Labels = Mapping[bytes, int]
MakeSplits = Callable[..., Dataset]


def group(group_id: bytes, examples: int = 1, labels: Labels | None = None, **sizes: int) -> dict[str, Any]:
    """A row of a group table, and the labels of the group."""
    numbers = {name: 0 for name in SCHEMA.names if name.startswith(("shard", "offset", "length", "num"))}
    [hashed] = hash_group_ids([group_id], 0)
    fields = {"group_id": group_id, "group_hash": hashed.tobytes(), "num_examples": examples, "labels": labels or {}}
    return numbers | fields | {f"num_{size}": value for size, value in sizes.items()}


def sized(*examples: int) -> list[dict[str, Any]]:
    return [group(b"g%d" % number, size) for number, size in enumerate(examples)]


@pytest.fixture
def dataset(tables_as_version: Callable[..., Dataset]) -> MakeSplits:
    def make(*of_train: dict[str, Any], **splits: Sequence[dict[str, Any]]) -> Dataset:
        everything = {name: sorted(rows, key=_hash) for name, rows in ({"train": of_train} | splits).items()}
        tables = {name: pa.Table.from_pylist(list(map(_row, rows)), SCHEMA) for name, rows in everything.items()}
        labels = {name: pa.Table.from_pylist(_label_rows(rows), LABEL_SCHEMA) for name, rows in everything.items()}
        return tables_as_version(tables, labels)

    return make


def _hash(row: dict[str, Any]) -> bytes:
    return bytes(row["group_hash"])


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in SCHEMA.names}


def _label_rows(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"group_row": number, "label": label, "num_examples": count}
        for number, row in enumerate(rows)
        for label, count in sorted(row["labels"].items())
    ]


def check(dataset: Dataset, exclusive: bool = True, **limits: Any) -> dict[str, CheckResult]:
    checks = GroupChecks.model_validate(limits, extra="forbid")
    return {result.name: result for result in check_groups(checks, dataset, exclusive=exclusive).results}


NUMBER, UNIQUE, SPLITS, SIZES = (
    "number of groups",
    "group ids are unique",
    "groups are in one split each",
    "examples per group",
)
ONE_OF_EACH = {b"a": 1, b"b": 1}
CASES = [  # groups; limits; name, limit and observed value of the check that fails; its offenders
    (sized(1, 2, 3), {"min_groups": 4}, NUMBER, "at least 4", "3", ()),
    (sized(1, 2, 3), {"max_groups": 2}, NUMBER, "at least 1, at most 2", "3", ()),
    (
        sized(5, 1, 2),
        {"min_examples": 3},
        SIZES,
        "at least 3",
        "1 to 5",
        ("'g1' with 1 example", "'g2' with 2 examples"),
    ),
    (
        sized(5, 1200, 9),
        {"max_examples": 8},
        SIZES,
        "at least 1, at most 8",
        "5 to 1,200",
        ("'g1' with 1,200 examples", "'g2' with 9 examples"),
    ),
    (
        [group(b"x", bytes=7), group(b"y", bytes=8)],
        {"min_bytes": 8},
        "bytes per group",
        "at least 8",
        "7 to 8",
        ("'x' with 7 bytes",),
    ),
    (
        [group(b"x", bytes=7), group(b"y", bytes=8)],
        {"max_bytes": 7},
        "bytes per group",
        "at most 7",
        "7 to 8",
        ("'y' with 8 bytes",),
    ),
    (
        [group(b"x", words=1), group(b"y", words=8)],
        {"min_words": 2},
        "words per group",
        "at least 2",
        "1 to 8",
        ("'x' with 1 word",),
    ),
    (
        [group(b"x", words=1), group(b"y", words=8)],
        {"max_words": 7},
        "words per group",
        "at most 7",
        "1 to 8",
        ("'y' with 8 words",),
    ),
    (
        sized(1, 2, 3, 50),
        {"percentiles": [{"percent": 50, "min": 3}]},
        "50 % of the groups have at most, in examples",
        "at least 3",
        "2",
        ("'g0' with 1 example", "'g1' with 2 examples"),
    ),
    (
        [group(b"x", bytes=70_001), group(b"y", bytes=70_003), group(b"z", bytes=9)],
        {"percentiles": [{"of": "bytes", "percent": 100, "max": 70_002}]},
        "100 % of the groups have at most, in bytes",
        "at most 70,002",
        "70,003",
        ("'y' with 70,003 bytes",),
    ),
    (
        [group(b"x", words=4), group(b"y", words=5)],
        {"percentiles": [{"of": "words", "percent": 12.5, "max": 3}]},
        "12.5 % of the groups have at most, in words",
        "at most 3",
        "4",
        ("'y' with 5 words", "'x' with 4 words"),
    ),
    (
        sized(2, 5, 3),
        {"max_share_of_largest": 0.4},
        "share of the largest group",
        "at most 0.4",
        "0.5",
        ("'g1' with 5 examples", "'g2' with 3 examples", "'g0' with 2 examples"),
    ),
    (
        sized(1, 5, 1, 4),
        {"max_share_of_singletons": 0.4},
        "share of the groups with one example",
        "at most 0.4",
        "0.5",
        ("'g2' with 1 example", "'g0' with 1 example"),  # as bad as each other: by their hashes
    ),
    (
        [group(b"x", 4, {b"a": 4}), group(b"y", 2, {b"b": 2}), group(b"z", 2, ONE_OF_EACH)],
        {"max_label_distance": 0.37},
        "distance of labels from those of all",
        "at most 0.37",
        "0.375",
        ("'x' at 0.375 with 4 examples", "'y' at 0.625 with 2 examples", "'z' at 0.125 with 2 examples"),
    ),
    (
        [group(b"x", 3, {b"a": 3}), group(b"y", 2, ONE_OF_EACH), group(b"z", 2)],
        {"min_labels": 2},
        "labels per group",
        "at least 2",
        "0 to 2",
        ("'z' with 0 labels", "'x' with 1 label"),
    ),
    (
        sized(1, 1),
        {"expected": ["g2", "g0", "g7\n"]},
        "expected groups that are missing",
        "none",
        "2 of 3",
        ("'g2'", "'g7\\n'"),
    ),
]


@pytest.mark.parametrize(("groups", "limits", "name", "limit", "observed", "offenders"), CASES)
def test_check_fails_on_groups_that_break_it(
    dataset: MakeSplits,
    groups: list[dict[str, Any]],
    limits: dict[str, Any],
    name: str,
    limit: str,
    observed: str,
    offenders: tuple[str, ...],
) -> None:
    found = check(dataset(*groups), **limits)
    assert [result.name for result in found.values() if not result.passed] == [name]
    assert (found[name].kind, found[name].limit, found[name].observed) == ("groups", limit, observed)
    assert found[name].offenders == offenders


EVERYTHING: dict[str, Any] = {  # at what the groups of the next test have
    "min_groups": 3,
    "max_groups": 3,
    "min_examples": 1,
    "max_examples": 6,
    "min_bytes": 10,
    "max_bytes": 90_000,
    "min_words": 4,
    "max_words": 8,
    "percentiles": [
        {"percent": 50, "min": 3, "max": 3},
        {"of": "bytes", "percent": 99, "min": 80_000, "max": 80_000},
        {"of": "words", "percent": 0, "min": 4, "max": 4},
    ],
    "max_share_of_largest": 0.6,
    "max_share_of_singletons": 0.3334,
    "max_label_distance": 0.18,
    "min_labels": 1,
    "expected": ["x", "z"],
}


def test_groups_at_every_limit_pass(dataset: MakeSplits) -> None:
    groups = [
        group(b"x", 1, {b"a": 1}, bytes=10, words=4),
        group(b"y", 6, {b"a": 3, b"b": 3}, bytes=90_000, words=5),
        group(b"z", 3, {b"a": 2, b"b": 1}, bytes=80_000, words=8),
    ]
    found = check(dataset(*groups, test=[]), **EVERYTHING)
    assert [name for name, result in found.items() if not result.passed] == []
    assert not any(result.offenders for result in found.values())
    assert {name: result.observed for name, result in found.items()} == {
        NUMBER: "3",
        UNIQUE: "0 twice or more",
        SPLITS: "0 in several",
        SIZES: "1 to 6",
        "bytes per group": "10 to 90,000",
        "words per group": "4 to 8",
        "50 % of the groups have at most, in examples": "3",
        "99 % of the groups have at most, in bytes": "80,000",
        "0 % of the groups have at most, in words": "4",
        "labels per group": "1 to 2",
        "share of the largest group": "0.6",
        "share of the groups with one example": "0.333",
        "distance of labels from those of all": "0.12",
        "expected groups that are missing": "0 of 2",
    }


def test_by_default_a_group_has_to_be_there_once(dataset: MakeSplits) -> None:
    assert list(check(dataset(group(b"x")))) == [NUMBER, UNIQUE, SIZES]


def test_a_group_in_two_splits_fails_where_it_may_be_in_one_only(dataset: MakeSplits) -> None:
    made = dataset(group(b"x", 2), group(b"y", 3), test=[group(b"y", 4)], validation=[group(b"z", 5)])
    found = check(made)
    assert [name for name, result in found.items() if not result.passed] == [SPLITS]
    assert (found[SPLITS].observed, found[SPLITS].offenders) == ("1 in several", ("'y' in 2 splits",))
    assert found[NUMBER].observed == "3"


def test_a_group_that_may_be_in_two_splits_counts_once_with_all_its_examples(dataset: MakeSplits) -> None:
    made = dataset(group(b"x", 2, {b"a": 2}), group(b"y", 3, {b"b": 3}), test=[group(b"x", 2, {b"b": 2})])
    found = check(made, exclusive=False, max_examples=3, min_labels=2, max_label_distance=0)
    assert SPLITS not in found
    assert (found[NUMBER].observed, found[SIZES].observed) == ("2", "3 to 4")
    assert found[SIZES].offenders == ("'x' with 4 examples",)
    assert found["labels per group"].offenders == ("'y' with 1 label",)
    # x has a and b in equal parts; of all, 2 in 7 are a: 3/14 from them. y lacks a: 2/7 from them.
    assert found["distance of labels from those of all"].observed == f"{(4 * 3 / 14 + 3 * 2 / 7) / 7:.3g}"


def test_a_group_that_is_twice_in_a_table_fails(dataset: MakeSplits) -> None:
    twice = group(b"same", 2)
    found = check(dataset(twice, group(b"other"), {**twice, "num_examples": 3}, test=[group(b"third")]))
    assert [name for name, result in found.items() if not result.passed] == [UNIQUE]
    assert (found[UNIQUE].observed, found[UNIQUE].offenders) == ("1 twice or more", ("'same' 2 times",))


def test_tables_out_of_order_are_refused(tables_as_version: Callable[..., Dataset]) -> None:
    rows = sorted((_row(group(b"a")), _row(group(b"b")), _row(group(b"c"))), key=_hash)
    broken = tables_as_version({"train": pa.Table.from_pylist([rows[1], rows[2], rows[0]], SCHEMA)})
    with pytest.raises(CorruptError, match="group number 2 of a split does not ascend by its hash"):
        check(broken)


def test_labels_are_not_asked_about_where_there_is_no_table(tables_as_version: Callable[..., Dataset]) -> None:
    bare = tables_as_version({"train": pa.Table.from_pylist([_row(group(b"a"))], SCHEMA)})
    check(bare)
    with pytest.raises(SpecError, match=r"split train of made@1\.0\.0 has no label table"):
        check(bare, max_label_distance=0.5)


def test_offenders_are_the_worst_five_of_all_blocks(dataset: MakeSplits) -> None:
    made = dataset(*sized(*range(1, 60)))
    for block_groups in (1, 7, 1000):
        found = check_groups(GroupChecks(max_examples=50), made, exclusive=True, block_groups=block_groups)
        [failed] = [result for result in found.results if not result.passed]
        assert failed.offenders == tuple(f"'g{size - 1}' with {size} examples" for size in range(59, 54, -1))


def test_names_of_groups_are_short_and_harmless(dataset: MakeSplits) -> None:
    ids = [b"\xff\x00", b"x" * 10**6, "\u202egroup\n".encode(), b"", "ä".encode() * 80]
    found = check(dataset(*map(group, ids)), min_examples=2)[SIZES]
    assert sorted(found.offenders) == sorted(
        f"'{name}' with 1 example" for name in (r"\xff\x00", "x" * 60 + " ...", r"\u202egroup\n", "", "ä" * 60 + " ...")
    )


def test_of_no_groups_only_their_number_is_asked(dataset: MakeSplits) -> None:
    [failed] = check(dataset(), **{**EVERYTHING, "expected": [], "min_groups": 1}).values()
    assert (failed.name, failed.limit, failed.observed, failed.passed) == (NUMBER, "at least 1, at most 3", "0", False)
    assert [result.passed for result in check(dataset(), min_groups=0).values()] == [True]


def test_groups_may_be_expected_of_none(dataset: MakeSplits) -> None:
    found = check(dataset(), min_groups=0, expected=["a"])
    assert [(r.name, r.passed, r.offenders) for r in found.values()] == [
        (NUMBER, True, ()),
        ("expected groups that are missing", False, ("'a'",)),
    ]


def test_the_group_of_the_small_ones_may_have_any_number_of_examples(dataset: MakeSplits) -> None:
    made = dataset(group(b"(small groups)", 9), group(b"b", 4), group(b"c", 1))
    limits = GroupChecks(min_examples=2, max_examples=3, min_bytes=1, too_small="merge")
    found = {
        result.name: result
        for result in check_groups(limits, made, exclusive=True, merged_ids=[b"(small groups)"]).results
    }
    assert found[SIZES].limit == "at least 2, at most 3, but for '(small groups)'"
    assert found[SIZES].offenders == ("'b' with 4 examples", "'c' with 1 example")
    assert len(found["bytes per group"].offenders) == 3


def test_ids_are_expected_by_a_file_too(dataset: MakeSplits, tmp_path: Path) -> None:
    file = tmp_path / "ids.txt"
    lines = ["\ufeffg0", "", "g1\r", "caf\u00e9", "g1", " g0", *(f"missing{i}" for i in range(9))]
    file.write_bytes("\n".join(lines).encode())
    made = dataset(group(b"g0"), group(b"g1"), group("café".encode()))
    found = check(made, expected=["g1", "first"], expected_file=str(file))["expected groups that are missing"]
    assert (found.passed, found.observed) == (False, "11 of 14")
    assert found.offenders == ("'first'", "' g0'", "'missing0'", "'missing1'", "'missing2'")
    file.write_bytes(b"g0\ng1\n")
    assert check(made, expected_file=str(file))["expected groups that are missing"].passed


def test_several_bounds_of_one_percentile_are_one_check(dataset: MakeSplits) -> None:
    checks = {"percentiles": [{"percent": 50, "min": 1}, {"percent": 50, "max": 3}, {"percent": 50, "min": 2}]}
    found = check(dataset(*sized(1, 1)), **checks)["50 % of the groups have at most, in examples"]
    assert (found.passed, found.limit, found.observed) == (False, "at least 2, at most 3", "1")
