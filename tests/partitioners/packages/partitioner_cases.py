"""Each partitioner with examples for it: what the conformance suite runs on. A new one needs a case here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from partitioners import (
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
    Partitioner,
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
_FILES = Path(__file__).parents[1] / "files"
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
