"""A version with every kind of feature, and what its examples should look like in arrays."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import groupstream
from groupstream import Feature, Split
from groupstream.tfrecord import iter_record_blocks

FEATURES = {
    "flag": Feature(dtype="bool"),
    "maybe": Feature(dtype="int64", optional=True),
    "maybe_mask": Feature(dtype="bool", shape=(3,), optional=True),
    "numbers": Feature(dtype="float32", shape=(None,)),
    "raw": Feature(dtype="bytes", optional=True),
    "small": Feature(dtype="int8"),
    "switches": Feature(dtype="bool", shape=(None,), optional=True),
    "tensor": Feature(dtype="int32", shape=(2, 3)),
    "text": Feature(dtype="string"),
    "unsigned": Feature(dtype="uint16"),
    "words": Feature(dtype="string", shape=(None,), optional=True),
}
SIZES = [3, 1, 7, 2, 1, 5, 4, 1]


def _example(n: int) -> dict[str, Any]:
    return {
        "flag": n % 3 == 0,
        "maybe": None if n % 4 == 1 else n * 1_000_003,
        "maybe_mask": None if n % 5 == 2 else [n % 2 == 0, True, n % 7 == 0],
        "numbers": [n / 2.0] * (n % 3),
        "raw": None if n % 6 == 3 else bytes([n % 256, 255]) * (n % 3),
        "small": n - 12,
        "switches": None if n % 4 == 2 else [bool(n % 2)] * (n % 5),
        "tensor": [n + i for i in range(6)],
        "text": f"{'éa🙂'[n % 3]}{n}" * (n % 3),
        "unsigned": 65_535 - n,
        "words": None if n % 7 == 3 else [f"wörd {i}" for i in range(n % 4)],
    }


@pytest.fixture
def varied(make_version: Any) -> Split:
    """Eight groups, 24 examples, two shards."""
    ids = [b"g\xff%d" % group for group, size in enumerate(SIZES) for _ in range(size)]
    root = make_version([_example(n) for n in range(len(ids))], ids, FEATURES)
    return groupstream.open("made", str(root))["train"]


@pytest.fixture
def large_groups(make_version: Any, monkeypatch: pytest.MonkeyPatch) -> Split:
    """Some of whose groups are larger than a chunk, and come in several blocks."""
    monkeypatch.setattr("groupstream.chunk.CHUNK_BYTES", 150)
    in_small_blocks = functools.partial(iter_record_blocks, block_bytes=200)
    monkeypatch.setattr("groupstream.shard_reader.iter_record_blocks", in_small_blocks)
    features = {"n": Feature(dtype="int64")}
    ids = [b"%d" % group for group, size in enumerate([11, 1, 1, 4, 1, 9]) for _ in range(size)]
    root = make_version([{"n": n} for n in range(len(ids))], ids, features)
    return groupstream.open("made", str(root))["train"]


@pytest.fixture
def pictures(make_version: Any) -> Callable[..., Split]:
    """Makes a version of one image an example, in groups of three, of these sizes."""
    image_module = pytest.importorskip("PIL.Image")

    def make(*sizes: tuple[int, int], optional: bool = False) -> Split:
        examples = []
        for n, (height, width) in enumerate(sizes):
            buffer = io.BytesIO()
            image_module.fromarray(np.full((height, width, 3), n, np.uint8)).save(buffer, "png")
            examples.append({"image": buffer.getvalue()})
        features = {"image": Feature(dtype="bytes", image_format="png", optional=optional)}
        root = make_version(examples, [b"%d" % (n // 3) for n in range(len(sizes))], features)
        return groupstream.open("made", str(root))["train"]

    return make


@pytest.fixture(scope="session")
def examples_in() -> Callable[[dict[str, Any]], list[dict[str, Any]]]:
    """The examples of a batch of arrays, as `Group.examples` gives them: None where `_is_there` says so."""

    def examples(batch: dict[str, Any]) -> list[dict[str, Any]]:
        names = [name for name in batch if name != "group_id" and not name.endswith("_is_there")]
        [length] = {len(batch[name]) for name in batch}
        return [
            {name: batch[name][i] if batch.get(f"{name}_is_there", [True] * length)[i] else None for name in names}
            for i in range(length)
        ]

    return examples


@pytest.fixture(scope="session")
def plain() -> Callable[[Any], Any]:
    """Arrays, tensors and tuples as lists, so that examples can be compared with ==."""

    def of(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: of(v) for name, v in value.items()}
        if isinstance(value, list | tuple):
            return [of(v) for v in value]
        return of(value.tolist()) if hasattr(value, "tolist") else value

    return of
