"""What holds for every partitioner. Their cases are in packages/partitioner_cases.py."""

from __future__ import annotations

import hashlib
import os
import pickle
import random
import subprocess
import sys
from collections import Counter
from typing import Any, NamedTuple, get_args

import numpy as np
import pyarrow as pa
import pytest
from partitioner_cases import CASES, Case
from pydantic import TypeAdapter

from partitioners import (
    AnyPartitioner,
    CountingPartitioner,
    ExampleIds,
    Partitioner,
    Rule,
)


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


def states_of_the_generators() -> tuple[object, ...]:
    """Of Python's and NumPy's."""
    _, key, position, *normal = np.random.get_state(legacy=True)
    return random.getstate(), key.tobytes(), position, *normal


def kinds_that_draw_from_the_process() -> list[str]:
    """Only where no thread of something else, such as a client of Prefect, draws at the same time."""
    import sklearn.cluster  # noqa: F401  # which draws while it is imported

    kinds = []
    for case in CASES:
        before = states_of_the_generators()
        assign(case.partitioner, parts_of(case))
        if states_of_the_generators() != before:
            kinds.append(case.partitioner.kind)
    return kinds


def in_another_process(function: str) -> str:
    """What a function of this file returns there, printed. With other hashes of str and bytes than here."""
    code = f"import runpy; print(runpy.run_path({__file__!r})[{function!r}]())"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout.strip()


def test_another_process_gives_the_same() -> None:
    assert in_another_process("digest") == digest()


def test_no_generator_of_the_process_is_drawn_from() -> None:
    assert in_another_process("kinds_that_draw_from_the_process") == "[]"
