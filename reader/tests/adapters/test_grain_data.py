"""Groups as datasets of Grain."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import groupstream
from groupstream import chunk
from groupstream.errors import UsageError
from groupstream.features import Feature
from groupstream.ragged import Ragged
from groupstream.stream import GroupStream
from groupstream.testing import FolderServer

grain = pytest.importorskip("grain")

NAMES = sorted(folder.name for folder in (Path(__file__).parents[3] / "tests" / "golden" / "v1").iterdir())


@pytest.fixture(autouse=True)
def parsed_flags() -> None:
    """Grain's worker processes ask for a flag of absl."""
    from absl import flags

    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()


def stream_of(root: Path, name: str = "text") -> GroupStream:
    return groupstream.open(name, str(root))["train"].stream()


def plain(item: Any) -> Any:
    """Without arrays, so that items can be compared."""
    if isinstance(item, dict):
        return {name: plain(value) for name, value in item.items()}
    return item.tolist() if isinstance(item, np.ndarray | Ragged) else item


def expected_of(stream: GroupStream) -> list[dict[str, Any]]:
    return [{"group_id": group_id, "examples": plain(arrays)} for group_id, arrays in stream.to_numpy()]


def texts_of(stream: GroupStream) -> list[str]:
    return [example["text"] for group in stream for example in group.examples()]


def streams(root: Path) -> Iterator[GroupStream]:
    base = stream_of(root).select("text", "note", "year")
    filtered = base.filter(min_examples=3)
    yield from (base, base.shard(1, 3), filtered, filtered.shard(0, 2), base.filter(group_ids=["Ada Lovelace"]))
    for shuffled in (base.shuffle(5), filtered.shuffle(5)):
        yield from (shuffled, shuffled.epoch(4), shuffled.shard(1, 2).repeat(3))


@pytest.mark.parametrize("name", NAMES)
def test_items_of_golden_versions_are_the_groups(golden: Path, name: str) -> None:
    stream = stream_of(golden, name)
    expected = expected_of(stream)
    found = stream.to_grain()
    assert isinstance(found, grain.MapDataset)
    assert [plain(item) for item in found] == expected
    assert plain(found[len(expected) - 1]) == expected[-1]
    assert [plain(item) for item in stream.to_grain(streaming=True)] == expected


def test_examples_are_those_of_the_group(golden: Path) -> None:
    stream = stream_of(golden, "tags")
    for item, group in zip(stream.to_grain(), stream, strict=True):
        examples = list(group.examples())
        assert item["group_id"] == group.id
        assert [list(tags) for tags in item["examples"]["tags"]] == [e["tags"] for e in examples]
        there = item["examples"]["counts_is_there"]
        assert there.tolist() == [e["counts"] is not None for e in examples]
        assert item["examples"]["seen"].tolist() == [e["seen"] for e in examples]


def test_positions_are_those_of_the_stream(golden: Path) -> None:
    for stream in streams(golden):
        expected = expected_of(stream)
        dataset = stream.to_grain()
        assert len(dataset) == len(expected)
        assert [plain(item) for item in dataset] == expected
        assert [plain(item) for item in stream.to_grain(streaming=True)] == expected


def test_many_positions_are_read_together(golden: Path) -> None:
    stream = stream_of(golden).shuffle(2).repeat(2)
    expected = expected_of(stream)
    found = stream.to_grain()._getitems([5, 0, 9, 0, 3])
    assert [plain(item) for item in found] == [expected[i] for i in (5, 0, 9, 0, 3)]


def test_grain_shuffles_slices_and_repeats_the_groups(golden: Path) -> None:
    stream = stream_of(golden)
    ids = [group.id for group in stream]
    dataset = stream.to_grain()
    assert [item["group_id"] for item in dataset[2:5]] == ids[2:5]
    assert sorted(item["group_id"] for item in dataset.shuffle(seed=1)) == sorted(ids)
    assert [item["group_id"] for item in dataset.repeat(2)] == ids * 2


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_batches_across_groups(golden: Path, batch_size: int) -> None:
    stream = stream_of(golden).shuffle(1)
    batches = list(stream.to_grain(batch_size))
    assert [text for batch in batches for text in batch["text"]] == texts_of(stream)
    assert {len(batch["group_id"]) for batch in batches[:-1]} <= {batch_size}
    assert sum(len(batch["text"]) for batch in stream.to_grain(7, drop_last=True)) == 35


def test_a_group_larger_than_a_chunk(golden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = stream_of(golden).prefetch(0)
    expected = expected_of(stream)
    monkeypatch.setattr(chunk, "CHUNK_BYTES", 1)
    assert all(c.is_large for c in stream.chunks())
    assert [plain(item) for item in stream.to_grain()] == expected
    assert [plain(item) for item in stream.to_grain(streaming=True)] == expected
    parts = list(stream.to_grain(2, by="group"))
    assert {len(part["examples"]["text"]) for part in parts} == {1, 2}
    assert [text for part in parts for text in part["examples"]["text"]] == texts_of(stream)


@pytest.mark.parametrize("arguments", [{"streaming": True}, {"batch_size": 3}, {"batch_size": 2, "by": "group"}, {}])
def test_states_are_exact(golden: Path, arguments: dict[str, Any]) -> None:
    def dataset() -> Any:
        found = stream_of(golden).select("text").shuffle(3).repeat(2).to_grain(**arguments)
        return found if arguments else found.to_iter_dataset()

    expected = [plain(item) for item in dataset()]
    for num_taken in range(0, len(expected) + 1, 3):
        items = iter(dataset())
        assert [plain(next(items)) for _ in range(num_taken)] == expected[:num_taken]
        resumed = iter(dataset())
        next(resumed)
        resumed.set_state(json.loads(json.dumps(items.get_state())))
        assert [plain(item) for item in resumed] == expected[num_taken:]


def test_a_version_on_a_server(golden: Path) -> None:
    pytest.importorskip("requests")
    with FolderServer(golden) as server:
        stream = groupstream.open("text@1.0.0", server.url)["train"].shuffle(1)
        assert [plain(item) for item in stream.to_grain()] == expected_of(stream_of(golden).shuffle(1))
        assert len(list(stream.to_grain(streaming=True))) == len(stream.to_grain())


def test_they_travel_small(golden: Path) -> None:
    stream = stream_of(golden).filter(min_examples=2).shuffle(3)
    dataset = stream.to_grain()
    expected = expected_of(stream)
    assert [plain(item) for item in dataset] == expected
    assert [plain(item) for item in pickle.loads(pickle.dumps(dataset))] == expected
    travelled = pickle.loads(pickle.dumps(stream.to_grain(streaming=True)))
    assert [plain(item) for item in travelled] == expected


@pytest.mark.integration
@pytest.mark.parametrize("arguments", [{}, {"streaming": True}, {"batch_size": 3}])
def test_worker_processes_share_it_and_resume_exactly(golden: Path, arguments: dict[str, Any]) -> None:
    stream = stream_of(golden).select("text").shuffle(3)

    def dataset() -> Any:
        found = stream.to_grain(**arguments)
        if not arguments:
            found = found.to_iter_dataset(grain.ReadOptions(num_threads=0))
        return found.mp_prefetch(grain.MultiprocessingOptions(num_workers=2))

    items = iter(dataset())
    expected, states = [], [items.get_state()]
    for item in items:
        expected.append(plain(item))
        states.append(items.get_state())
    if "batch_size" in arguments:
        texts = [text for batch in expected for text in batch["text"]]
        assert sorted(texts) == sorted(texts_of(stream))
    else:
        assert expected == expected_of(stream)
    resumed = iter(dataset())
    resumed.set_state(states[4])
    assert [plain(item) for item in resumed] == expected[4:]


def test_each_worker_reads_a_shard(golden: Path) -> None:
    stream = stream_of(golden).shuffle(3)
    for index in range(3):
        dataset = stream.to_grain(streaming=True)
        dataset.set_slice(slice(index, None, 3))
        assert [item["group_id"] for item in dataset] == [group.id for group in stream.shard(index, 3)]


def test_a_stream_of_no_groups_is_empty(golden: Path) -> None:
    stream = stream_of(golden).filter(min_examples=1000)
    assert len(stream.to_grain()) == len(stream.shuffle(1).to_grain()) == 0
    assert not list(stream.to_grain(streaming=True))


def test_a_stream_without_end_streams_only(golden: Path) -> None:
    stream = stream_of(golden).repeat()
    with pytest.raises(UsageError, match="no end"):
        stream.to_grain()
    items = iter(stream.to_grain(streaming=True))
    ids = [next(items)["group_id"] for _ in range(20)]
    assert ids[8:16] == ids[:8]


def test_batches_have_no_places(golden: Path) -> None:
    with pytest.raises(UsageError, match="streaming=False"):
        stream_of(golden).to_grain(3, streaming=False)


def test_lists_of_tensors(make_version: Any) -> None:
    features = {"boxes": Feature(dtype="int16", shape=(None, 2), optional=True), "n": Feature(dtype="int64")}
    boxes = [[[1, 2], [3, 4]], [], None, [[5, 6]]]
    examples = [{"boxes": found, "n": n} for n, found in enumerate(boxes)]
    stream = stream_of(make_version(examples, [b"a"] * 4, features), "made")
    [found] = stream.to_grain()
    assert plain(found["examples"]["boxes"]) == [[[1, 2], [3, 4]], [], [], [[5, 6]]]
    [batch] = stream.to_grain(4, pad_to=1)
    assert batch["boxes"].tolist() == [[[1, 2]], [[0, 0]], [[0, 0]], [[5, 6]]]
    assert batch["boxes_length"].tolist() == [2, 0, 0, 1]


def test_a_choice_of_features_is_kept(make_version: Any) -> None:
    features = {"a": Feature(dtype="int8"), "b": Feature(dtype="int64", optional=True)}
    stream = stream_of(make_version([{"a": 1, "b": None}], [b"\xff"], features), "made").select("b")
    assert plain(stream.to_grain()[0]) == {"group_id": b"\xff", "examples": {"b": [0], "b_is_there": [False]}}


def test_without_grain_the_error_names_the_extra(golden: Path) -> None:
    code = f"""
import sys
sys.modules["grain"] = None
import groupstream
try:
    groupstream.open("text", {str(golden)!r})["train"].to_grain()
except groupstream.UsageError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'groupstream[grain]'" in done.stdout
