"""MNIST and CIFAR-100 by every partitioner that counts: sizes and labels as they are asked for."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from partitioners import (
    ByClusters,
    ByContinuous,
    ByDirichletFixedSizes,
    ByEqualSilos,
    ByFixedSizes,
    ByShards,
    CountingPartitioner,
    ExampleIds,
)
from sources import Source
from sources.idx import Idx
from sources.images import Images

pytestmark = [pytest.mark.shared_data, pytest.mark.integration]

Table = dict[bytes | None, Counter[int]]  # how many examples of each label every group has


def _mnist(folder: Path) -> Source:
    return Idx(images=[f"{folder}/*-images-idx3-ubyte.gz"], labels=[f"{folder}/*-labels-idx1-ubyte.gz"])


def _cifar(folder: Path) -> Source:
    return Images(paths=[f"{folder}/*.tar"])


@pytest.fixture(scope="module", params=[("mnist_idx", _mnist), ("cifar100_png", _cifar)], ids=["mnist", "cifar100"])
def batches(request: pytest.FixtureRequest, shared_data: Callable[[str], Path]) -> Any:
    """All batches of a dataset, with their labels and, of MNIST, their pixels."""
    name, make = request.param
    source = make(shared_data(name))
    features = source.available_features()
    needed = frozenset({"label", "image"} if name == "mnist_idx" else {"label"})
    found = []
    for piece in source.pieces():
        row = 0
        for columns, _ in source.read(piece, features, needed):
            found.append((columns, ExampleIds(piece.index, np.arange(row, row + len(columns)), row)))
            row += len(columns)
    return found


def _labels(batches: Any) -> Counter[int]:
    return Counter(label for columns, _ in batches for label in columns["label"].to_pylist())


def _table(passes: Any, partitioner: CountingPartitioner, batches: Any) -> Table:
    table: Table = {}
    rule = passes.rule(partitioner, batches)
    for columns, ids in batches:
        for group, label in zip(rule.assign(columns, ids).to_pylist(), columns["label"].to_pylist(), strict=True):
            table.setdefault(group, Counter())[label] += 1
    return table


def _sizes(table: Table) -> list[int]:
    return [table[group].total() for group in sorted(table, key=lambda group: group or b"")]


def test_data_is_the_one_that_is_known(batches: Any) -> None:
    labels = _labels(batches)
    assert (labels.total(), len(labels)) in ((70_000, 10), (15_000, 100))


def test_fixed_sizes_are_alike_in_labels(passes: Any, batches: Any) -> None:
    labels = _labels(batches)
    table = _table(passes, ByFixedSizes(num_groups=7), batches)
    assert max(_sizes(table)) - min(_sizes(table)) <= 1 and sum(_sizes(table)) == labels.total()
    for label, count in labels.items():
        of_groups = [some[label] for some in table.values()]
        assert sum(of_groups) == count
        assert max(abs(n - count / 7) for n in of_groups) < 5 * np.sqrt(count / 7)


def test_shards_hold_few_labels(passes: Any, batches: Any) -> None:
    labels = _labels(batches)
    table = _table(passes, ByShards(num_groups=100, shards_per_group=2), batches)
    assert len(table) == 100 and max(_sizes(table)) - min(_sizes(table)) <= 2
    assert max(map(len, table.values())) <= 4
    assert sum(table.values(), Counter()) == labels


@pytest.mark.parametrize(("alpha", "low", "high"), [(1e-6, 1, 4), (0.1, 1, 12), (1e9, 9, 100)])
def test_dirichlet_fixed_sizes_have_their_sizes_and_labels(
    passes: Any, batches: Any, alpha: float, low: float, high: float
) -> None:
    labels = _labels(batches)
    table = _table(passes, ByDirichletFixedSizes(num_groups=50, alpha=alpha), batches)
    assert set(_sizes(table)) == {labels.total() // 50}
    assert sum(table.values(), Counter()) == labels
    assert low <= np.median(list(map(len, table.values()))) <= high


def test_label_as_a_number_sorts_groups(passes: Any, batches: Any) -> None:
    total = _labels(batches).total()
    table = _table(passes, ByContinuous(feature="label", num_groups=10, strictness=1), batches)
    assert max(abs(size - total / 10) for size in _sizes(table)) < 4 * np.sqrt(total / 10)
    ends = [(min(table[group]), max(table[group])) for group in sorted(table)]
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(ends))
    loose = _table(passes, ByContinuous(feature="label", num_groups=10, strictness=0.3), batches)
    assert min(map(len, loose.values())) >= 9


def test_silos_have_exactly_their_labels(passes: Any, batches: Any) -> None:
    labels = _labels(batches)
    table = _table(passes, ByEqualSilos(feature="label", ids_per_silo=3), batches)
    assert sorted(map(len, table.values()), reverse=True) == [3] * (len(labels) // 3) + [1]
    assert sum(table.values(), Counter()) == labels


@pytest.mark.parametrize("batches", [("mnist_idx", _mnist)], indirect=True, ids=["mnist"])
def test_clusters_of_pixels_follow_digits(passes: Any, batches: Any) -> None:
    """k-means on raw pixels is known to find digits with a purity of about 0.6."""
    table = _table(passes, ByClusters(feature="image", num_clusters=10, sample_examples=2_000), batches)
    assert len(table) == 10 and sum(_sizes(table)) == 70_000
    purity = sum(max(some.values()) for some in table.values()) / 70_000
    assert 0.5 < purity < 0.7
