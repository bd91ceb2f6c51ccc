"""A version of 23 groups, and the streams of it that there are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import groupstream
from groupstream import Feature, Split
from groupstream import chunk as chunk_module
from groupstream.stream import GroupStream

NUM_GROUPS = 23
SIZES = [1 + (7 * i) % 11 for i in range(NUM_GROUPS)]


@pytest.fixture
def split(make_version: Callable[..., Path]) -> Split:
    ids = [b"g%02d" % i for i, size in enumerate(SIZES) for _ in range(size)]
    examples = [{"n": n, "text": f"{n} " * (n % 40)} for n in range(len(ids))]
    features = {"n": Feature(dtype="int64"), "text": Feature(dtype="string")}
    return groupstream.open("made", str(make_version(examples, ids, features, num_shards=3)))["train"]


@pytest.fixture(params=[0, 1, 3], ids=lambda n: f"{n}-ahead")
def ahead(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Chunks of a few groups, so that a small version has many; some groups are larger than a chunk."""
    monkeypatch.setattr(chunk_module, "CHUNK_BYTES", 900)
    return int(request.param)


ORDERS: dict[str, Callable[[Split], GroupStream]] = {
    "stored": lambda split: split.stream(),
    "shuffled": lambda split: split.shuffle(seed=3),
    "filtered": lambda split: split.filter(min_examples=3, max_examples=9),
    "filtered, shuffled": lambda split: split.filter(min_examples=3, max_examples=9).shuffle(seed=3),
    "by id": lambda split: split.filter(group_ids=[f"g{i:02}" for i in range(0, NUM_GROUPS, 2)]),
    "by id, shuffled": lambda split: split.filter(group_ids=[f"g{i:02}" for i in range(5)]).shuffle(-1),
}


@pytest.fixture(params=ORDERS.values(), ids=ORDERS)
def make(request: pytest.FixtureRequest) -> Callable[[Split], GroupStream]:
    """The stream of a split, in each order."""
    return request.param
