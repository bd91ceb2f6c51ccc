"""Groups, and batches of examples, as NumPy arrays."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import groupstream
from groupstream import Feature, Split, UnknownKeyError, UsageError
from groupstream.ragged import Ragged
from groupstream.stream import GroupStream

NAMES = ["text", "tags", "digits"]
ExamplesIn = Callable[[dict[str, Any]], list[dict[str, Any]]]
Plain = Callable[[Any], Any]


def groups_of(stream: GroupStream, plain: Plain) -> list[tuple[bytes, Any]]:
    return [(group.id, plain(list(group.examples()))) for group in stream]


@pytest.fixture
def split(request: pytest.FixtureRequest, golden: Path) -> Split:
    if request.param == "varied":
        return request.getfixturevalue("varied")
    return groupstream.open(request.param, str(golden))["train"]


every = pytest.mark.parametrize("split", [*NAMES, "varied"], indirect=True)


@every
def test_groups_are_those_of_the_stream(split: Split, examples_in: ExamplesIn, plain: Plain) -> None:
    for stream in (split.stream(), split.shuffle(seed=3).shard(0, 2).repeat(2), split.filter(min_examples=3)):
        found = [(group_id, plain(examples_in(arrays))) for group_id, arrays in stream.to_numpy()]
        assert found == groups_of(stream, plain)


@every
@pytest.mark.parametrize("batch_size", [1, 2, 5, 100])
def test_batches_are_those_of_the_stream(split: Split, batch_size: int, examples_in: ExamplesIn, plain: Plain) -> None:
    stream = split.shuffle(seed=4)
    batches = list(stream.to_numpy(batch_size))
    assert [len(batch["group_id"]) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
    ids = [group_id for batch in batches for group_id in batch["group_id"].tolist()]
    found = [example for batch in batches for example in plain(examples_in(batch))]
    expected = groups_of(stream, plain)
    assert found == [example for _, examples in expected for example in examples]
    assert ids == [group_id for group_id, examples in expected for _ in examples]


def test_arrays_have_the_type_of_the_feature(varied: Split) -> None:
    _, arrays = next(varied.to_numpy())
    length = len(arrays["flag"])
    found = {name: (a.dtype.name, a.shape[1:]) for name, a in arrays.items() if isinstance(a, np.ndarray)}
    assert found == {
        "flag": ("bool", ()),
        "maybe": ("int64", ()),
        "maybe_is_there": ("bool", ()),
        "maybe_mask": ("bool", (3,)),
        "maybe_mask_is_there": ("bool", ()),
        "raw": ("object", ()),
        "raw_is_there": ("bool", ()),
        "small": ("int8", ()),
        "switches_is_there": ("bool", ()),
        "tensor": ("int32", (2, 3)),
        "text": ("object", ()),
        "unsigned": ("uint16", ()),
        "words_is_there": ("bool", ()),
    }
    ragged = {name: a.values.dtype.name for name, a in arrays.items() if isinstance(a, Ragged)}
    assert ragged == {"numbers": "float32", "switches": "bool", "words": "object"}
    assert {len(a) for a in arrays.values()} == {length}


def test_missing_values_are_zero_or_none(varied: Split) -> None:
    batch = next(varied.to_numpy(24))
    for name in ("maybe", "maybe_mask", "raw", "switches", "words"):
        missing = np.flatnonzero(~batch[f"{name}_is_there"])
        assert 0 < len(missing) < 24
        for i in missing:
            value = batch[name][i]
            assert value is None or not np.any(value)
    assert all(batch["raw"][i] is None for i in np.flatnonzero(~batch["raw_is_there"]))


def test_numbers_share_the_memory_of_arrow(varied: Split) -> None:
    batches = list(varied.to_numpy(6))
    for name in ("small", "tensor", "unsigned"):
        assert batches[0][name].base is not None
        assert not batches[0][name].flags.writeable
        distance = batches[1][name].__array_interface__["data"][0] - batches[0][name].__array_interface__["data"][0]
        assert distance == batches[0][name].nbytes


def test_a_group_comes_in_batches_of_its_own(varied: Split, examples_in: ExamplesIn, plain: Plain) -> None:
    items = list(varied.to_numpy(2, by="group"))
    sizes = [group.num_examples for group in varied]
    assert [len(arrays["flag"]) for _, arrays in items] == [n for s in sizes for n in [2] * (s // 2) + [1] * (s % 2)]
    found: dict[bytes, list[Any]] = {}
    for group_id, arrays in items:
        found.setdefault(group_id, []).extend(plain(examples_in(arrays)))
    assert found == dict(groups_of(varied.stream(), plain))
    full = [len(arrays["flag"]) for _, arrays in varied.to_numpy(2, by="group", drop_last=True)]
    assert full == [2] * sum(s // 2 for s in sizes)


def test_large_groups_are_whole_or_in_batches(large_groups: Split) -> None:
    sizes = {group.id: group.num_examples for group in large_groups}
    assert {group_id: len(arrays["n"]) for group_id, arrays in large_groups.to_numpy()} == sizes
    for size in (1, 3, 4, 11):
        numbers: dict[bytes, list[int]] = {}
        for group_id, arrays in large_groups.to_numpy(size, by="group"):
            assert len(arrays["n"]) == min(size, sizes[group_id] - len(numbers.get(group_id, [])))
            numbers.setdefault(group_id, []).extend(arrays["n"].tolist())
        assert {group_id: len(values) for group_id, values in numbers.items()} == sizes
        assert [*itertools.chain(*numbers.values())] == [e["n"] for group in large_groups for e in group.examples()]


@pytest.mark.parametrize("options", [{}, {"batch_size": 2}, {"batch_size": 2, "by": "group"}, {"by": "example"}])
@pytest.mark.parametrize("name", ["varied", "large_groups"])
def test_items_go_on_from_every_place(
    name: str, options: dict[str, Any], plain: Plain, request: pytest.FixtureRequest
) -> None:
    stream = request.getfixturevalue(name).shuffle(seed=8).shard(0, 2).repeat(2)

    def listed(items: Any) -> list[Any]:
        return [plain(item) for item in items]

    whole = listed(stream.to_numpy(**options))
    items = stream.to_numpy(**options)
    for num_given in range(len(whole) + 1):
        state = json.loads(json.dumps(items.state_dict()))
        resumed = stream.to_numpy(**options)
        resumed.load_state_dict(state)
        assert listed(resumed) == whole[num_given:]
        next(items, None)


def test_lists_are_padded_with_their_lengths_beside(varied: Split) -> None:
    plainly = next(varied.to_numpy(24))
    batch = next(varied.to_numpy(24, pad_to={"switches": 3}))
    assert batch["switches"].shape == (24, 3)
    assert batch["switches"].dtype == bool
    assert batch["switches_length"].tolist() == plainly["switches"].lengths.tolist()
    assert max(batch["switches_length"]) == 4
    for padded, items in zip(batch["switches"], plainly["switches"], strict=True):
        assert padded.tolist() == (items.tolist() + [False] * 3)[:3]
    both = next(varied.to_numpy(24, pad_to=5))
    assert both["numbers"].shape == both["switches"].shape == (24, 5)
    assert isinstance(both["words"], Ragged)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"by": "example_id"}, UsageError, '^by is \'example_id\'; it should be "group" or "example"$'),
        ({"pad_to": {"words": 3}}, UnknownKeyError, "^pad_to names 'words'; lists of numbers are numbers, switches$"),
        ({"pad_to": {"numbers": 0}}, UsageError, "^pad_to is 0; it should be at least 1$"),
        ({"batch_size": 0}, UsageError, "^batch_size is 0"),
    ],
)
def test_what_makes_no_sense_is_refused(varied: Split, options: dict[str, Any], error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        varied.to_numpy(**options)


def test_a_name_that_would_stand_for_two_is_refused(make_version: Any) -> None:
    features = {"a": Feature(dtype="int64", optional=True), "a_is_there": Feature(dtype="bool")}
    root = make_version([{"a": 1, "a_is_there": False}], [b"x"], features)
    split = groupstream.open("made", str(root))["train"]
    with pytest.raises(UsageError, match="'a_is_there' is the name of a feature and of what is added here"):
        split.to_numpy()
    assert list(next(split.select("a_is_there").to_numpy())[1]) == ["a_is_there"]


def test_images_of_one_size_are_one_array(pictures: Callable[..., Split]) -> None:
    split = pictures(*[(4, 5)] * 6)
    batch = next(split.to_numpy(4, decode_images=True))
    assert batch["image"].shape == (4, 4, 5, 3)
    assert batch["image"].dtype == np.uint8
    assert sorted(n for b in split.to_numpy(4, decode_images=True) for n in b["image"][:, 0, 0, 0]) == list(range(6))
    assert next(split.to_numpy(4))["image"][0][1:4] == b"PNG"


def test_images_of_several_sizes_are_objects(pictures: Callable[..., Split]) -> None:
    shapes = [(2, 3), (3, 2), (2, 2), (2, 3)]
    batch = next(pictures(*shapes).to_numpy(4, decode_images=True))
    assert batch["image"].dtype == object
    assert sorted(image.shape[:2] for image in batch["image"]) == sorted(shapes)


def test_nothing_heavy_is_loaded(golden: Path) -> None:
    code = f"""
import sys, groupstream
for name in ("text", "tags", "digits"):
    split = groupstream.open(name, {str(golden)!r})["train"]
    assert list(split.to_numpy()) and list(split.to_numpy(3)) and list(split.batches(3))
    assert split.to_arrow(3).read_all()
print(sorted({{"pandas", "torch", "jax", "tensorflow", "PIL"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
