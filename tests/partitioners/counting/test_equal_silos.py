from __future__ import annotations

import itertools
import random
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groupstream import SpecError
from partitioners.equal_silos import ByEqualSilos, merge_words


def _ids_of(groups: list[bytes | None], users: list[Any]) -> dict[bytes | None, set[Any]]:
    found: dict[bytes | None, set[Any]] = {}
    for group, user in zip(groups, users, strict=True):
        found.setdefault(group, set()).add(user)
    return found


@settings(max_examples=50, deadline=None)
@given(
    num_ids=st.integers(1, 80),
    ids_per_silo=st.integers(1, 9),
    rest=st.sampled_from(["smaller", "bigger", "none"]),
    batch_examples=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    seed=st.integers(0, 2**32),
)
def test_every_silo_has_exactly_so_many_ids(
    passes: Any, num_ids: int, ids_per_silo: int, rest: Any, batch_examples: list[int], seed: int
) -> None:
    draws = np.random.default_rng(seed)
    users = draws.permutation(np.concatenate([np.arange(num_ids), draws.integers(0, num_ids, 100)])).tolist()
    partitioner = ByEqualSilos(feature="user", ids_per_silo=ids_per_silo, rest=rest, missing="drop", seed=seed)
    batches = passes.cut({"user": users}, batch_examples, num_pieces=3)
    whole, over = divmod(num_ids, ids_per_silo)
    if not whole:
        with pytest.raises(SpecError, match=f"has {num_ids} values, fewer than ids_per_silo: {ids_per_silo}"):
            passes.rule(partitioner, batches)
        return
    groups = passes.groups(partitioner, batches, random.Random(seed))
    assert groups == passes.groups(partitioner, batches)
    found = _ids_of(groups, users)
    assert sum(map(len, found.values())) == num_ids
    silos = sorted(len(ids) for group, ids in found.items() if group is not None)
    expected = {
        "smaller": sorted([ids_per_silo] * whole + [over] * (over > 0)),
        "bigger": sorted(ids_per_silo + over // whole + (i < over % whole) for i in range(whole)),
        "none": [ids_per_silo] * whole,
    }
    assert silos == expected[rest]
    assert len(found.get(None, ())) == (over if rest == "none" else 0)


def test_ids_are_dealt_at_random(passes: Any) -> None:
    """Of two neighbours among 1,000 ids, one pair in 10 is in the same of 10 silos."""
    groups = passes.groups(ByEqualSilos(feature="user", ids_per_silo=100), passes.cut({"user": np.arange(1_000)}))
    same = sum(a == b for a, b in itertools.pairwise(groups))
    assert abs(same - 99.9) < 4 * np.sqrt(90)


def test_null_and_empty_ids_are_in_no_silo(passes: Any) -> None:
    users = ["ann", None, "bob", "", "ann", "cy"]
    groups = passes.groups(ByEqualSilos(feature="user", ids_per_silo=1), passes.cut({"user": users}, 2))
    assert [group is None for group in groups] == [False, True, False, True, False, False]
    assert groups[0] == groups[4]
    assert len(set(groups)) == 4


def test_ids_that_fill_no_silo_are_refused_unless_the_spec_says_what_becomes_of_them(passes: Any) -> None:
    batches = passes.cut({"user": np.arange(10)}, 4)
    with pytest.raises(SpecError, match="of 10 ids, 1 fill no silo of 3; write missing: drop to leave them out"):
        passes.rule(ByEqualSilos(feature="user", ids_per_silo=3, rest="none"), batches)
    grouped = ByEqualSilos(feature="user", ids_per_silo=3, rest="none", missing="group")
    assert Counter(passes.groups(grouped, batches)) == {b"0": 3, b"1": 3, b"2": 3, None: 1}


def test_too_many_ids_are_refused() -> None:
    counts = [np.arange(60, dtype=np.uint64), np.arange(30, 101, dtype=np.uint64)]
    assert len(merge_words(counts, max_ids=101)) == 101
    with pytest.raises(SpecError, match="more than 100 ids, too many to count; the partitioner silos deals any number"):
        merge_words(counts, max_ids=100)


def test_counts_hold_hashes_alone(passes: Any) -> None:
    users = pa.array([f"a rather long name of user {i % 1_000}" for i in range(20_000)])
    counts = passes.count(ByEqualSilos(feature="user", ids_per_silo=10), passes.cut({"user": users}))
    assert (counts.dtype, counts.nbytes) == (np.uint64, 8_000)
