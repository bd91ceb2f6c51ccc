"""What holds for every partitioner. A new one needs a Case of its own here, and nothing else."""

from __future__ import annotations

import hashlib
import os
import pickle
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import pyarrow as pa
import pytest
from pydantic import TypeAdapter

from partitioners import (
    AnyPartitioner,
    ByClusters,
    ByComposite,
    ByContinuous,
    ByDirichletFixedSizes,
    ByDistributionMatrix,
    ByEqualSilos,
    ByFeature,
    ByFixedSizes,
    ByFunction,
    ByIid,
    ByLabelDirichlet,
    ByMapping,
    ByPathological,
    ByRegex,
    ByShards,
    BySilos,
    BySizeShape,
    ByTimeBuckets,
    ByTwoLevels,
    ByUrlDomain,
    ByUrlHost,
    CountingPartitioner,
    ExampleIds,
    Partitioner,
    Rule,
)

_URLS = [
    "http://a.example.com/1",
    "https://www.Example.com:8080/x?y#z",
    "b.example.co.uk",
    "http://[::1]/",
    "not a url",
    "",
    None,
    "http://a.example.com/2",
]
_FILES = Path(__file__).parent / "files"
_MANY = 20_000
_LABELS = np.arange(_MANY) * 7919 % 10  # 2,000 of each


@dataclass(frozen=True)
class Case:
    """A partitioner and examples for it; more than one group is among them.

    Attributes:
        examples: with the features that it reads, and others.
        keyless: positions of the examples that get no group.
        shares: of each group, where a draw decides: the share of all examples that it is expected to get.
    """

    partitioner: Partitioner
    examples: pa.RecordBatch
    keyless: frozenset[int] = frozenset()
    shares: Mapping[bytes, float] | None = None


def keys(values: pa.Array, *keyless: int, partitioner: Partitioner | None = None) -> Case:
    """Examples with one feature; by its value, unless another partitioner is given."""
    return Case(partitioner or ByFeature(feature="key"), pa.record_batch({"key": values}), frozenset(keyless))


def labelled(partitioner: Partitioner, shares: Mapping[bytes, float] | None = None, kind: Any = None) -> Case:
    """Many examples with the labels 0 to 9, as often each."""
    return Case(
        partitioner, pa.record_batch({"label": pa.array(_LABELS).cast(kind or pa.int64())}), frozenset(), shares
    )


def embedded(partitioner: Partitioner, kind: pa.DataType, *keyless: int) -> Case:
    """Many examples with points of a square, in no clusters: other starts of k-means end in other centres."""
    points = np.random.default_rng(0).integers(0, 200, (2_000, 2)).tolist()
    lists = pa.array([None if i in keyless else point for i, point in enumerate(points)], pa.list_(pa.float32(), 2))
    is_tensor = isinstance(kind, pa.BaseExtensionType)
    column = pa.ExtensionArray.from_storage(kind, lists.cast(kind.storage_type)) if is_tensor else lists.cast(kind)
    return Case(partitioner, pa.record_batch({"point": column}), frozenset(keyless))


def _numbers(shares: Any) -> dict[bytes, float]:
    return {b"%d" % group: float(share) for group, share in enumerate(shares)}


CASES = [
    keys(pa.array(["x", "é", "", None, " ", "x"]), 2, 3),
    keys(pa.array([b"x", b"\xff\0", b"", None, b"x"]), 2, 3),
    keys(pa.array([3, -1, None, 0, 3]), 2),
    keys(pa.array([True, None, False, True]), 1),
    *(keys(pa.array([3, None, 0], kind), 1) for kind in (pa.int8(), pa.uint8(), pa.uint32())),
    keys(pa.array([0.5, None, 2.0], pa.float32()), 1),
    keys(pa.array(_URLS), 4, 5, 6, partitioner=ByUrlHost(feature="key")),
    keys(pa.array([url and url.encode() for url in _URLS]), 4, 5, 6, partitioner=ByUrlHost(feature="key")),
    keys(pa.array(_URLS), 4, 5, 6, partitioner=ByUrlDomain(feature="key")),
    Case(
        ByComposite(features=["a", "b"]),
        pa.record_batch({"a": ["x", "y", None, "x", "", "%/"], "b": [1, 2, 3, None, 5, 6]}),
        frozenset({2, 3, 4}),
    ),
    keys(
        pa.array(["a-1", "b-2", "-3", "", None, "a-4"]), 2, 3, 4, partitioner=ByRegex(feature="key", pattern="^(.*)-")
    ),
    keys(
        pa.array(["2015-03-09T17:05:00Z", "2015-03-31", "2016-01-01 00:00:00", "never", "", None]),
        *(3, 4, 5),
        partitioner=ByTimeBuckets(feature="key", bucket="quarter", zone="Europe/Berlin"),
    ),
    keys(pa.array([0, -1, None, 10**17, 1_425_918_900], pa.int64()), 2, 3, partitioner=ByTimeBuckets(feature="key")),
    keys(pa.array([*map(str, range(90)), "", None]), 90, 91, partitioner=BySilos(feature="key", num_groups=3)),
    keys(
        pa.array([0, 1, 2, 3, 4, None, 7], pa.int32()),
        *(3, 5),
        partitioner=ByMapping(feature="key", file=str(_FILES / "groups.csv")),
    ),
    keys(
        pa.array(["ab", "b", "", None, "a"]),
        *(2, 3),
        partitioner=ByFunction(function="own_rules:first_letter", features=["key"]),
    ),
    labelled(ByIid(num_groups=5), _numbers([0.2] * 5)),
    labelled(BySizeShape(num_groups=3, shape="linear"), _numbers([1 / 6, 2 / 6, 3 / 6])),
    labelled(BySizeShape(num_groups=3, shape="square"), _numbers([1 / 14, 4 / 14, 9 / 14])),
    labelled(BySizeShape(num_groups=3, shape="exponential"), _numbers([0.09003057, 0.24472847, 0.66524096])),
    labelled(wide := BySizeShape(num_groups=8, sigma=1.5), _numbers(wide.shares())),
    labelled(ByLabelDirichlet(num_groups=4, alpha=0.5)),
    labelled(ByLabelDirichlet(num_groups=4, alpha=1e9), _numbers([0.25] * 4), pa.string()),
    labelled(ByTwoLevels(num_groups=3, alpha=1.0)),
    labelled(
        ByTwoLevels(num_groups=2, alpha=1e9),
        {b"%d/%d" % (label, group): 1 / 20 for label in range(10) for group in range(2)},
        pa.int8(),
    ),
    *(
        labelled(
            ByPathological(num_groups=5, num_labels=10, labels_per_group=2 * k, assignment=assignment),
            _numbers([0.2] * 5) if assignment == "deterministic" and k == 5 else None,
        )
        for assignment, k in (("random", 5), ("deterministic", 5), ("deterministic", 3), ("first_deterministic", 5))
    ),
    keys(
        pa.array(["cat", "dog", None, "", "cow", "dog", "cat"] * 100),
        *(i for i in range(700) if i % 7 in (2, 3, 4)),
        partitioner=ByPathological(
            feature="key", num_groups=6, labels=["dog", "cat"], labels_per_group=1, assignment="deterministic"
        ),
    ),
    Case(
        ByDistributionMatrix(shares={"cat": [0.5, 0.5, 0], "dog": [0.1, 0.1, 0.8]}),
        pa.record_batch({"label": ["cat", "dog", "cow", None] * (_MANY // 4)}),
        frozenset(i for i in range(_MANY) if i % 4 in (2, 3)),
        _numbers([0.3, 0.3, 0.4]),
    ),
    Case(
        ByDistributionMatrix(file=str(_FILES / "shares.csv")),
        pa.record_batch({"label": pa.array(_LABELS % 4, pa.uint8())}),
        frozenset(np.flatnonzero(_LABELS % 4 == 2).tolist()),
        {b"red": (3 + 3 / 4 + 2 / 5) / 8, b"green": (3 / 2 + 3 / 5) / 8, b"blue": (3 / 4 + 1) / 8},
    ),
    labelled(ByFixedSizes(num_groups=3), _numbers([1 / 3] * 3)),
    labelled(ByFixedSizes(sizes=[1, 5_000, 14_999]), _numbers([1 / _MANY, 1 / 4, 14_999 / _MANY])),
    labelled(ByShards(num_groups=10, shards_per_group=2), _numbers([0.1] * 10)),
    labelled(ByShards(num_groups=3, shard_examples=999), None, pa.string()),
    labelled(ByDirichletFixedSizes(num_groups=4, alpha=0.5), _numbers([0.25] * 4)),
    labelled(ByDirichletFixedSizes(sizes=[5_000, 15_000], alpha=1e9), _numbers([0.25, 0.75]), pa.uint8()),
    Case(
        ByShards(num_groups=2, shards_per_group=2),
        pa.record_batch({"label": ["cat", "dog", "", None] * 25}),
        frozenset(i for i in range(100) if i % 4 in (2, 3)),
        _numbers([0.5, 0.5]),
    ),
    labelled(ByContinuous(feature="label", num_groups=4, strictness=0.5), _numbers([0.25] * 4)),
    labelled(ByContinuous(feature="label", num_groups=4, strictness=1), _numbers([0.25] * 4), pa.float32()),
    keys(
        pa.array([0.5, None, 3.0, -1.0] * 100),
        *range(1, 400, 4),
        partitioner=ByContinuous(feature="key", num_groups=3, strictness=0.2),
    ),
    keys(pa.array([*map(str, range(90)), "", None]), 90, 91, partitioner=ByEqualSilos(feature="key", ids_per_silo=40)),
    embedded(ByClusters(feature="point", num_clusters=7), pa.list_(pa.float32()), 3, 99),
    embedded(
        ByClusters(feature="point", num_clusters=5, alpha=1, num_groups=3, sample_examples=500),
        pa.fixed_shape_tensor(pa.uint8(), (2,)),
    ),
]


def test_cases_cover_every_partitioner() -> None:
    members = get_args(get_args(AnyPartitioner)[0])
    assert {type(case.partitioner) for case in CASES} == set(members)


def of(cases: list[Case]) -> pytest.MarkDecorator:
    """A test of these cases."""
    return pytest.mark.parametrize("case", cases, ids=lambda case: f"{case.partitioner.kind}-{len(case.examples)}")


COUNTING = [case for case in CASES if isinstance(case.partitioner, CountingPartitioner)]
RULES = [case for case in CASES if case not in COUNTING]
SEEDED = [case for case in CASES if "seed" in type(case.partitioner).model_fields]
KEYED = [case for case in CASES if "example_key" in type(case.partitioner).model_fields]


class Part(NamedTuple):
    """A batch as the pipeline gives it."""

    examples: pa.RecordBatch
    ids: ExampleIds


def parts_of(case: Case, num_pieces: int = 3) -> list[Part]:
    """The examples of a case as batches of several pieces. Before the first of each batch, an example was dropped."""
    size = max(1, len(case.examples) // (2 * num_pieces))
    starts = range(0, len(case.examples), size)
    return [
        Part(batch, ExampleIds(i % num_pieces, np.arange(len(batch)) + (i * 2 * size + 1), i * 2 * size))
        for i, batch in enumerate(case.examples.slice(start, size) for start in starts)
    ]


def rule_of(partitioner: Partitioner, parts: list[Part]) -> Rule:
    """The partitioner itself, or what it makes of its counts of the parts."""
    if isinstance(partitioner, CountingPartitioner):
        return partitioner.fit(partitioner.merge([partitioner.count(*part) for part in parts]))
    return partitioner  # type: ignore[return-value]


def assign(partitioner: Partitioner, parts: list[Part], rule: Rule | None = None) -> list[bytes | None]:
    """The group of each example, in the order of the parts."""
    rule = rule or rule_of(partitioner, parts)
    return [group for part in parts for group in rule.assign(*part).to_pylist()]


def with_fields(partitioner: Partitioner, **fields: Any) -> Partitioner:
    """Another one with other values."""
    return type(partitioner).model_validate({**partitioner.model_dump(), **fields})


@of(CASES)
def test_ids_are_binary_one_an_example(case: Case) -> None:
    rule = rule_of(case.partitioner, parts := parts_of(case))
    found: set[bytes] = set()
    for part in parts:
        ids = rule.assign(*part)
        ids.validate(full=True)
        assert ids.type == pa.binary()
        assert len(ids) == len(part.examples)
        found |= set(ids.to_pylist()) - {None, b""}
    assert len(found) > 1


@of(CASES)
def test_examples_have_a_group_unless_their_key_is_missing(case: Case) -> None:
    ids = assign(case.partitioner, parts_of(case))
    assert {i for i, group in enumerate(ids) if not group} == case.keyless


@of(CASES)
def test_assigning_twice_gives_the_same(case: Case) -> None:
    assert assign(case.partitioner, parts_of(case)) == assign(case.partitioner, parts_of(case))


@of(CASES)
def test_ids_do_not_depend_on_the_order_of_pieces(case: Case) -> None:
    parts = parts_of(case)
    whole = assign(case.partitioner, parts)
    order = np.random.default_rng(0).permutation(len(parts))
    rule = rule_of(case.partitioner, [parts[i] for i in order])
    assert assign(case.partitioner, parts, rule) == whole


@of(COUNTING)
def test_counts_are_merged_in_any_way(case: Case) -> None:
    partitioner, parts = case.partitioner, parts_of(case)
    assert isinstance(partitioner, CountingPartitioner)
    counts = [pickle.loads(pickle.dumps(partitioner.count(*part))) for part in parts]
    some, others = partitioner.merge(counts[2:]), partitioner.merge(counts[:2])
    merged = partitioner.merge([partitioner.merge([]), some, partitioner.merge([]), others])
    rule = partitioner.fit(pickle.loads(pickle.dumps(merged)))
    assert assign(partitioner, parts, rule) == assign(partitioner, parts)


@of(RULES)
def test_ids_do_not_depend_on_where_batches_end(case: Case) -> None:
    """Of rules; both passes of a partitioner that counts see the same batches."""
    total = len(case.examples)
    whole = assign(case.partitioner, _cut(case, total))
    for size in (total // 3 + 1, total // 7 + 1, *range(1, 4 if total < 100 else 1)):
        assert assign(case.partitioner, _cut(case, size)) == whole


def _cut(case: Case, size: int) -> list[Part]:
    """All examples as one piece, in batches of a size."""
    starts = range(0, len(case.examples), size)
    batches = ((case.examples.slice(start, size), start) for start in starts)
    return [Part(batch, ExampleIds(0, np.arange(start, start + len(batch)), start)) for batch, start in batches]


@of(RULES)
def test_ids_do_not_depend_on_the_order_of_examples(case: Case) -> None:
    order = np.random.default_rng(0).permutation(len(case.examples))
    whole = assign(case.partitioner, [Part(case.examples, ExampleIds(0, np.arange(len(order))))])
    shuffled = assign(case.partitioner, [Part(case.examples.take(order), ExampleIds(0, order))])
    assert shuffled == [whole[i] for i in order]


@of(CASES)
def test_only_what_it_reads_is_looked_at(case: Case) -> None:
    reads = sorted(case.partitioner.reads)
    parts = parts_of(case)
    bare, more = (
        [Part(change(part.examples), part.ids) for part in parts]
        for change in (
            lambda examples: examples.select(reads) if reads else _without_columns(len(examples)),
            lambda examples: pa.record_batch(
                {"aa": pa.nulls(len(examples)), **{name: examples[name] for name in reads}, "zz": range(len(examples))}
            ),
        )
    )
    assert assign(case.partitioner, bare) == assign(case.partitioner, more) == assign(case.partitioner, parts)


def _without_columns(num_rows: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_struct_array(pa.array([{}] * num_rows, pa.struct([])))


@of(CASES)
def test_empty_batches_change_nothing(case: Case) -> None:
    parts = parts_of(case)
    empty = [Part(case.examples.slice(at, 0), ExampleIds(9, np.arange(0), at)) for at in (0, 2)]
    rule = rule_of(case.partitioner, [empty[0], *parts, empty[1]])
    for part in empty:
        assert rule.assign(*part) == pa.array([], pa.binary())
    assert assign(case.partitioner, parts, rule) == assign(case.partitioner, parts)


@of(CASES)
def test_partitioner_and_rule_survive_pickling_and_json(case: Case) -> None:
    parts = parts_of(case)
    expected = assign(case.partitioner, parts)
    pickled = pickle.loads(pickle.dumps(case.partitioner))
    assert pickled == case.partitioner
    assert assign(pickled, parts) == expected
    assert assign(pickled, parts, pickle.loads(pickle.dumps(rule_of(case.partitioner, parts)))) == expected
    assert TypeAdapter(AnyPartitioner).validate_json(case.partitioner.model_dump_json()) == case.partitioner


@of(SEEDED)
def test_another_seed_gives_another_partition(case: Case) -> None:
    parts = parts_of(case)
    assert assign(with_fields(case.partitioner, seed=1), parts) != assign(case.partitioner, parts)
    assert assign(with_fields(case.partitioner, seed=-(2**63)), parts) != assign(case.partitioner, parts)


@of(CASES)
def test_no_generator_of_the_process_is_drawn_from(case: Case) -> None:
    python, numpy = random.getstate(), pickle.dumps(np.random.get_state())
    assign(case.partitioner, parts_of(case))
    assert random.getstate() == python
    assert pickle.dumps(np.random.get_state()) == numpy


@of([case for case in CASES if case.shares is not None])
def test_shares_are_those_of_the_distribution(case: Case) -> None:
    """Each within 4 standard deviations of a draw with replacement."""
    assert case.shares is not None
    assert sum(case.shares.values()) == pytest.approx(1)
    ids = Counter(assign(case.partitioner, parts_of(case)))
    del ids[None]
    total = ids.total()
    assert set(ids) <= set(case.shares)
    for group, share in case.shares.items():
        assert abs(ids[group] - share * total) <= 4 * np.sqrt(total * share * (1 - share)) + 1e-9, group


@of(KEYED)
def test_draws_that_follow_a_key_do_not_depend_on_places(case: Case) -> None:
    names = pa.array([f"example {i}" for i in range(len(case.examples))])
    named = Case(with_fields(case.partitioner, example_key="name"), case.examples.append_column("name", names))
    order = np.random.default_rng(0).permutation(len(names))
    shuffled = Case(named.partitioner, named.examples.take(order))
    whole = assign(named.partitioner, parts_of(named))
    assert assign(shuffled.partitioner, parts_of(shuffled, 2)) == [whole[i] for i in order]
    assert len(set(whole) - {None}) > 1
    other = with_fields(named.partitioner, seed=1)
    assert assign(other, parts_of(named)) != whole


def digest() -> str:
    """Of the groups of all examples of all cases."""
    groups = [assign(case.partitioner, parts_of(case)) for case in CASES]
    return hashlib.sha256(repr(groups).encode()).hexdigest()


def test_another_process_gives_the_same() -> None:
    """With other hashes of str and bytes than here."""
    code = f"import runpy; print(runpy.run_path({__file__!r})['digest']())"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == digest()
