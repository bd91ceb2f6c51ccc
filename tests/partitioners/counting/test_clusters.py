from __future__ import annotations

import random
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from groupstream import ExampleError, SpecError
from partitioners import ExampleIds
from partitioners.clusters import ByClusters
from partitioners.sample import Sample


def _blobs(num_blobs: int, num_examples: int, seed: int = 0) -> tuple[pa.Array, np.ndarray]:
    """Points of 16 dimensions, 1 wide around centres that lie 10 or more apart; and the blob of each."""
    draws = np.random.default_rng(seed)
    centres = np.eye(16)[:num_blobs] * 10
    blobs = draws.integers(0, num_blobs, num_examples)
    points = centres[blobs] + draws.normal(size=(num_examples, 16)) * 0.5
    return _column(points), blobs


def _column(points: np.ndarray) -> pa.Array:
    kind = pa.fixed_shape_tensor(pa.float32(), points.shape[1:])
    numbers = pa.array(points.astype(np.float32).reshape(-1))
    return pa.ExtensionArray.from_storage(kind, pa.FixedSizeListArray.from_arrays(numbers, points[0].size))


def _clusters(**options: Any) -> ByClusters:
    return ByClusters(**{"feature": "point", "num_clusters": 5, **options})


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_blobs_that_lie_apart_are_found(passes: Any, seed: int) -> None:
    points, blobs = _blobs(5, 3_000, seed)
    groups = passes.groups(_clusters(seed=seed, sample_examples=500), passes.cut({"point": points}, 100))
    pairs = set(zip(groups, blobs.tolist(), strict=True))
    assert len(pairs) == len(set(groups)) == 5


def test_sample_and_groups_do_not_depend_on_how_counts_are_merged(passes: Any) -> None:
    points = _column(np.random.default_rng(0).normal(size=(2_000, 3)))
    partitioner = _clusters(sample_examples=200)
    plain = passes.count(partitioner, passes.cut({"point": points}, 100, num_pieces=3))
    assert len(plain.draws) == 200
    assert (np.diff(plain.draws) > 0).all()
    for seed in range(5):
        batches = passes.cut({"point": points}, 100, num_pieces=3)
        other = passes.count(partitioner, batches, random.Random(seed))
        assert (other.names == plain.names).all() and (other.vectors == plain.vectors).all()
        assert passes.groups(partitioner, batches, random.Random(seed)) == passes.groups(partitioner, batches)


def test_sample_is_uniform_over_examples(passes: Any) -> None:
    points = _column(np.arange(10_000.0).reshape(-1, 1))
    sample = passes.count(_clusters(sample_examples=1_000), passes.cut({"point": points}, [10, 900]))
    assert abs(sample.vectors.mean() - 5_000) < 4 * 10_000 / np.sqrt(12 * 1_000)
    rows = [row for piece, row in sample.names.tolist()]
    assert rows == sample.vectors.reshape(-1).astype(int).tolist()


def test_sample_of_long_embeddings_is_smaller(passes: Any) -> None:
    points = _column(np.random.default_rng(0).normal(size=(120, 100_000)))
    sample = passes.count(_clusters(), passes.cut({"point": points}, 50))
    assert len(sample.draws) == (32 << 20) // 400_000 == 83


def test_long_embeddings_are_not_gathered_before_they_are_merged(passes: Any) -> None:
    """20,000 of a million numbers would be 80 GB."""
    points = _column(np.random.default_rng(0).normal(size=(2, 1_000_000)))
    batch, _ = passes.cut({"point": points})[0]

    def counts() -> Iterator[Sample]:
        for piece in range(60):
            yield _clusters().count(batch, ExampleIds(piece, np.arange(2)))

    tracemalloc.start()
    sample = _clusters().merge(counts())
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(sample.draws) == (32 << 20) // 4_000_000 == 8
    assert peak_bytes < 6 * (32 << 20)


def test_groups_do_not_depend_on_where_batches_end(passes: Any) -> None:
    columns = {"point": _column(np.random.default_rng(0).integers(0, 9, (3_000, 4)).astype(float))}
    found = [passes.groups(_clusters(), passes.cut(columns, size)) for size in (1, 7, 3_000)]
    assert found[0] == found[1] == found[2]


def test_lists_tensors_and_lists_of_tensors_are_embeddings(passes: Any) -> None:
    points = np.random.default_rng(0).integers(0, 99, (200, 6))
    kinds = [
        _column(points),
        pa.array(points.tolist(), pa.list_(pa.float32())),
        pa.array(points.tolist(), pa.large_list(pa.int16())),
        pa.array(points.tolist(), pa.list_(pa.uint8(), 6)),
        pa.array(points.reshape(200, 3, 2).tolist(), pa.list_(pa.list_(pa.float32(), 2))),
        _column(points.reshape(200, 2, 3)),
    ]
    found = [passes.groups(_clusters(), passes.cut({"point": kind}, 64)) for kind in kinds]
    assert all(groups == found[0] for groups in found[1:])


def test_alpha_deals_each_cluster_to_groups(passes: Any) -> None:
    points, blobs = _blobs(5, 20_000)
    batches = passes.cut({"point": points})
    for alpha, fewest, most in ((1e-6, 1, 1), (1e9, 4, 4)):
        groups = passes.groups(_clusters(alpha=alpha, num_groups=4), batches)
        pairs = Counter(zip(groups, blobs.tolist(), strict=True))
        groups_of_a_blob = Counter(blob for _, blob in pairs)
        assert (min(groups_of_a_blob.values()), max(groups_of_a_blob.values())) == (fewest, most)
    shares = np.array(list(pairs.values())) / np.bincount(blobs).mean()
    assert np.abs(shares - 0.25).max() < 0.05


def test_examples_without_an_embedding_have_no_group(passes: Any) -> None:
    points = pa.array([None, [1, 2], [3, 4], None, [1, 2]], pa.list_(pa.float32()))
    for size in (1, 2, 5):
        groups = passes.groups(_clusters(num_clusters=2), passes.cut({"point": points}, size))
        assert [group is None for group in groups] == [True, False, False, True, False]
        assert groups[1] == groups[4] != groups[2]


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([[1, 2], [3]], "the embedding 'point' in row 2 of piece 0 has 1 numbers, the first of its batch 2"),
        ([[1, 2], [3, 4], [5]], "embeddings have 1 and 2 numbers; every embedding needs the same number"),
        ([[], []], "in row 1 of piece 0 has 0 numbers"),
        ([[1, 2], [3, float("nan")]], "in row 2 of piece 0 is not finite in all its numbers"),
        ([[1, 2], [3, None]], "in row 2 of piece 0 is not finite"),
        ([[1, 2], [3, float("-inf")]], "in row 2 of piece 0 is not finite"),
    ],
)
def test_embeddings_that_cannot_be_compared_are_refused(passes: Any, points: list[Any], message: str) -> None:
    batches = passes.cut({"point": pa.array(points, pa.list_(pa.float32()))}, 2)
    with pytest.raises(ExampleError, match=message):
        passes.rule(_clusters(num_clusters=1), batches)


def test_other_embeddings_than_were_counted_are_refused(passes: Any) -> None:
    rule = passes.rule(_clusters(num_clusters=1), passes.cut({"point": pa.array([[1, 2]])}))
    with pytest.raises(
        ExampleError, match="embeddings of piece 0 have 3 numbers, the centres 2; every embedding needs"
    ):
        rule.assign(*passes.cut({"point": pa.array([[1, 2, 3]])})[0])


@pytest.mark.parametrize("values", [["a"], [1.0], [["a"]], [{"a": 1}]])
def test_what_is_no_embedding_is_refused(passes: Any, values: list[Any]) -> None:
    with pytest.raises(SpecError, match=r"feature 'point' is .*, which is no embedding; name one that is a tensor"):
        passes.rule(_clusters(num_clusters=1), passes.cut({"point": pa.array(values)}))


def test_more_clusters_than_different_embeddings_are_refused(passes: Any) -> None:
    batches = passes.cut({"point": pa.array([[1, 2]] * 9 + [[3, 4]])})
    with pytest.raises(
        SpecError, match="3 clusters cannot be made of a sample of 2 different embeddings; ask for fewer"
    ):
        passes.rule(_clusters(num_clusters=3), batches)
    with pytest.raises(SpecError, match="5 clusters cannot be made of a sample of 0 different embeddings"):
        _clusters().fit(_clusters().merge([]))


@pytest.mark.parametrize("options", [{"alpha": 1}, {"num_groups": 2}, {"num_clusters": 9, "sample_examples": 8}])
def test_options_that_do_not_fit_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        _clusters(**options)
