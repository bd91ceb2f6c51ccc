from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from groupstream import SpecError
from partitioners.shards import ByShards, Shards


def _labels_of(groups: list[bytes | None], labels: Any) -> dict[bytes | None, Counter[int]]:
    found: dict[bytes | None, Counter[int]] = {}
    for group, label in zip(groups, labels, strict=True):
        found.setdefault(group, Counter())[label] += 1
    return found


@settings(max_examples=100, deadline=None)
@given(
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=8),
    num_groups=st.integers(1, 8),
    shards_per_group=st.integers(1, 4),
    batch_examples=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    seed=st.integers(0, 2**32),
)
def test_sizes_are_equal_and_no_group_has_more_labels_than_its_shards_can(
    passes: Any, counts: list[int], num_groups: int, shards_per_group: int, batch_examples: list[int], seed: int
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    np.random.default_rng(seed).shuffle(labels)
    num_shards = num_groups * shards_per_group
    partitioner = ByShards(num_groups=num_groups, shards_per_group=shards_per_group, seed=seed)
    batches = passes.cut({"label": labels}, batch_examples, num_pieces=2)
    if num_shards > len(labels):
        with pytest.raises(
            SpecError, match=f"need {num_shards:,} shards; {len(labels):,} examples make {len(labels):,}"
        ):
            passes.rule(partitioner, batches)
        return
    groups = passes.groups(partitioner, batches, random.Random(seed))
    assert groups == passes.groups(partitioner, batches)
    found = _labels_of(groups, labels)
    sizes = [some.total() for some in found.values()]
    assert len(sizes) == num_groups
    assert max(sizes) - min(sizes) <= shards_per_group
    if min(counts) >= len(labels) // num_shards + 1:
        assert max(map(len, found.values())) <= 2 * shards_per_group
    # Cutting a list of sorted labels adds at most one label for each cut.
    assert sum(map(len, found.values())) <= len(counts) + num_shards - 1


def test_mnist_of_mcmahan(passes: Any) -> None:
    """200 shards of 300, two for each of 100 groups: as every label has a whole number of shards, two labels each."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 6_000))
    found = _labels_of(
        passes.groups(ByShards(num_groups=100, shards_per_group=2), passes.cut({"label": labels})), labels
    )
    assert {some.total() for some in found.values()} == {600}
    assert Counter(len(some) for some in found.values()).keys() == {1, 2}
    assert all(count in (300, 600) for some in found.values() for count in some.values())
    # 20 of 200 shards have the label of a group's first one: of 100 groups, 9.5 have one label on average.
    assert 0 < sum(len(some) == 1 for some in found.values()) <= 9.5 + 4 * np.sqrt(9.5)


def test_shards_of_given_size_are_dealt_evenly(passes: Any) -> None:
    batches = passes.cut({"label": np.arange(1_010) // 100}, 64)
    whole = ByShards(num_groups=3, shard_examples=100)
    sizes = sorted(Counter(passes.groups(whole, batches)).values())
    assert sizes in ([210, 400, 400], [300, 310, 400])  # 3, 4 and 4 shards; the one of 10 examples is in any of them
    dropped = whole.model_copy(update={"keep_incomplete": False, "missing": "drop"})
    found = Counter(passes.groups(dropped, batches))
    assert found.pop(None) == 10
    assert sorted(found.values()) == [300, 300, 400]


def test_only_so_many_shards_as_asked_for_are_dealt(passes: Any) -> None:
    batches = passes.cut({"label": np.arange(1_000) // 100}, 64)
    partitioner = ByShards(num_groups=3, shard_examples=100, shards_per_group=2, missing="drop")
    found = _labels_of(passes.groups(partitioner, batches), np.arange(1_000) // 100)
    assert found.pop(None).total() == 400
    assert {tuple(some.values()) for some in found.values()} == {(100, 100)}


@pytest.mark.parametrize("num_examples", [10, 11, 19])
def test_shards_cover_each_example_once(num_examples: int) -> None:
    for shards in (Shards(num_examples, 10), Shards(num_examples, -(-num_examples // 3), 3)):
        found = np.bincount(shards.of(np.arange(num_examples)), minlength=shards.num)
        assert found.tolist() == shards.sizes().tolist()


def test_null_labels_are_in_no_group(passes: Any) -> None:
    batches = passes.cut({"label": ["a", None, "b", "", "a", "b"]}, 2)
    groups = passes.groups(ByShards(num_groups=2, shards_per_group=1), batches)
    assert groups[1] is None and groups[3] is None
    assert sorted(Counter(groups).values()) == [2, 2, 2]
    assert groups[0] == groups[4] != groups[2] == groups[5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_groups": 2, "shard_examples": 4}, "need 2 shards; 6 examples make 1"),
        ({"num_groups": 1, "shard_examples": 4}, "2 examples remain that fill no group; .* or other shards"),
        (
            {"num_groups": 3, "shards_per_group": 3},
            "3 groups of 3 shards need 9 shards; 6 examples make 6. Ask for fewer",
        ),
        ({"num_groups": 1, "shard_examples": 2, "shards_per_group": 2}, "2 examples remain that fill no group"),
    ],
)
def test_shards_that_cannot_be_are_refused(passes: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        passes.rule(ByShards(keep_incomplete=False, **options), passes.cut({"label": np.arange(6)}, 4))


def test_shards_need_a_number_or_a_size() -> None:
    with pytest.raises(ValidationError, match="give shards_per_group, shard_examples or both"):
        ByShards(num_groups=2)


def test_labels_are_single_values(passes: Any) -> None:
    with pytest.raises(SpecError, match=r"feature 'label' is list.*, which is no key"):
        passes.rule(ByShards(num_groups=1, shards_per_group=1), passes.cut({"label": [[1], [2]]}))
