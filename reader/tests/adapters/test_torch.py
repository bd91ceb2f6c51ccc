"""Groups, and batches of examples, as a PyTorch dataset."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import groupstream
from groupstream import Split, UsageError
from groupstream.stream import GroupStream

torch = pytest.importorskip("torch")
data = pytest.importorskip("torch.utils.data")

pytestmark = [
    pytest.mark.filterwarnings("ignore:'set_vital' is deprecated"),  # torchdata 0.11 calls it
    pytest.mark.filterwarnings("ignore:os.fork"),  # of JAX, where another test has loaded it; workers do not use it
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),  # more workers than cores
]
NAMES = ["text", "tags", "digits"]
ExamplesIn = Callable[[dict[str, Any]], list[dict[str, Any]]]
Plain = Callable[[Any], Any]


def loaded(dataset: Any, num_workers: int = 0, **options: Any) -> Any:
    if num_workers:
        options.setdefault("multiprocessing_context", "fork")
    return data.DataLoader(dataset, batch_size=None, num_workers=num_workers, **options)


def stateful(dataset: Any, num_workers: int, **options: Any) -> Any:
    loaders = pytest.importorskip("torchdata.stateful_dataloader")
    if num_workers:
        options["multiprocessing_context"] = "fork"
    return loaders.StatefulDataLoader(dataset, batch_size=None, num_workers=num_workers, **options)


def group_ids(items: Any) -> list[bytes]:
    return [item["group_id"] for item in items]


@pytest.mark.parametrize("name", [*NAMES, "varied"])
def test_groups_are_those_of_the_stream(
    name: str, request: pytest.FixtureRequest, golden: Path, examples_in: ExamplesIn, plain: Plain
) -> None:
    split = request.getfixturevalue("varied") if name == "varied" else groupstream.open(name, str(golden))["train"]
    for stream in (split.stream(), split.shuffle(seed=3).shard(0, 2).repeat(2), split.filter(min_examples=3)):
        found = []
        for item in loaded(stream.to_torch()):
            group_id = item.pop("group_id")
            found.append((group_id, plain(examples_in(item))))
        assert found == [(group.id, plain(list(group.examples()))) for group in stream]


@pytest.mark.parametrize("batch_size", [1, 5, 100])
def test_batches_are_those_of_numpy(varied: Split, batch_size: int, plain: Plain) -> None:
    stream = varied.shuffle(seed=4).repeat(2)
    found = plain(list(loaded(stream.to_torch(batch_size))))
    assert found == plain(list(stream.to_numpy(batch_size)))


def test_items_are_tensors_and_lists(varied: Split) -> None:
    item = next(iter(varied.to_torch(pad_to={"switches": 3})))
    length = len(item["flag"])
    tensors = {name: (v.dtype, tuple(v.shape)) for name, v in item.items() if isinstance(v, torch.Tensor)}
    assert tensors == {
        "flag": (torch.bool, (length,)),
        "maybe": (torch.int64, (length,)),
        "maybe_is_there": (torch.bool, (length,)),
        "maybe_mask": (torch.bool, (length, 3)),
        "maybe_mask_is_there": (torch.bool, (length,)),
        "raw_is_there": (torch.bool, (length,)),
        "small": (torch.int8, (length,)),
        "switches": (torch.bool, (length, 3)),
        "switches_is_there": (torch.bool, (length,)),
        "switches_length": (torch.int64, (length,)),
        "tensor": (torch.int32, (length, 2, 3)),
        "unsigned": (torch.uint16, (length,)),
        "words_is_there": (torch.bool, (length,)),
    }
    assert isinstance(item["group_id"], bytes)
    assert {type(text) for text in item["text"]} == {str}
    assert {v.dtype for v in item["numbers"]} == {torch.float32}
    assert all(isinstance(words, list) for words in item["words"])


def test_tensors_may_be_written_to(varied: Split) -> None:
    names = ("flag", "maybe", "maybe_mask", "small", "tensor", "unsigned")
    first, second = list(varied.to_torch(4))[:2]
    before = {name: second[name].clone() for name in names}
    for name in names:
        first[name].zero_()
    for numbers in first["numbers"]:
        numbers.zero_()
    assert all(torch.equal(second[name], before[name]) for name in names)


@pytest.mark.parametrize(
    ("way", "context"), [("stored", "fork"), ("shuffled", "fork"), ("filtered", "fork"), ("shuffled", "spawn")]
)
def test_workers_share_the_groups(varied: Split, way: str, context: str) -> None:
    stream = {"stored": varied.stream(), "shuffled": varied.shuffle(seed=3), "filtered": varied.filter(min_examples=2)}
    dataset = stream[way].to_torch()
    begun = iter(dataset)
    next(begun)  # its threads are of the parent, and must not matter to the children
    found = group_ids(loaded(dataset, 2, multiprocessing_context=context))
    assert sorted(found) == sorted(group.id for group in stream[way])


def test_ranks_and_workers_share_the_groups(varied: Split) -> None:
    stream = varied.shuffle(seed=3)
    found = [group_ids(loaded(stream.shard(rank, 2).to_torch(), 2)) for rank in range(2)]
    assert sorted(found[0] + found[1]) == sorted(group.id for group in stream)
    assert all(found)


def test_more_workers_than_groups_do_no_harm(varied: Split) -> None:
    few = varied.filter(min_examples=5)
    assert sorted(group_ids(loaded(few.to_torch(), 4))) == sorted(group.id for group in few)


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("persistent", [False, True])
def test_passes_differ_by_the_epoch_that_is_set(varied: Split, num_workers: int, persistent: bool) -> None:
    stream = varied.shuffle(seed=3)
    dataset = stream.to_torch()
    loader = loaded(dataset, num_workers, persistent_workers=persistent and num_workers > 0)
    passes = []
    for epoch in (0, 1, 5):
        dataset.set_epoch(epoch)
        passes.append(group_ids(loader))
        dataset.set_epoch(epoch)
        assert group_ids(loader) == passes[-1]
    assert len({tuple(ids) for ids in passes}) == 3
    assert len({tuple(sorted(ids)) for ids in passes}) == 1
    if not num_workers:
        assert passes == [[group.id for group in stream.epoch(epoch)] for epoch in (0, 1, 5)]


@pytest.mark.parametrize("options", [{}, {"batch_size": 5}, {"batch_size": 2, "by": "group"}])
def test_items_go_on_from_every_place(varied: Split, options: dict[str, Any], plain: Plain) -> None:
    dataset = varied.shuffle(seed=8).repeat(2).to_torch(**options)
    dataset.set_epoch(4)
    whole = plain(list(dataset))
    items = iter(dataset)
    fresh = varied.shuffle(seed=8).repeat(2).to_torch(**options)
    for num_given in range(len(whole) + 1):
        resumed = iter(fresh)
        resumed.load_state_dict(json.loads(json.dumps(items.state_dict())))
        assert plain(list(resumed)) == whole[num_given:]
        next(items, None)


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("options", [{}, {"batch_size": 3}])
@pytest.mark.parametrize("num_given", [0, 1, 4, 6])
def test_a_stateful_loader_goes_on_exactly(
    varied: Split, num_workers: int, options: dict[str, Any], num_given: int, plain: Plain
) -> None:
    stream = varied.shuffle(seed=8)
    dataset = stream.to_torch(**options)
    dataset.set_epoch(2)
    whole = plain(list(stateful(dataset, num_workers)))
    loader = stateful(dataset, num_workers)
    items = iter(loader)
    assert plain([next(items) for _ in range(num_given)]) == whole[:num_given]
    state = pickle.loads(pickle.dumps(loader.state_dict()))
    resumed = stateful(stream.to_torch(**options), num_workers)
    resumed.load_state_dict(state)
    assert plain(list(resumed)) == whole[num_given:]
    del items


@pytest.mark.parametrize("num_workers", [0, 2])
def test_after_a_resumed_pass_the_next_one_is_whole(varied: Split, num_workers: int) -> None:
    stream = varied.shuffle(seed=8)
    loader = stateful(stream.to_torch(), num_workers)
    items = iter(loader)
    first = group_ids([next(items) for _ in range(3)])
    dataset = stream.to_torch()
    resumed = stateful(dataset, num_workers)
    resumed.load_state_dict(loader.state_dict())
    assert sorted(first + group_ids(resumed)) == sorted(group.id for group in stream)
    dataset.set_epoch(1)
    expected = stream.to_torch()
    expected.set_epoch(1)
    assert group_ids(resumed) == group_ids(stateful(expected, num_workers))
    del items


def test_a_state_of_another_adapter_is_refused(varied: Split) -> None:
    with pytest.raises(UsageError, match=r"^the state is not of to_torch\(\); load it into what it was taken from$"):
        iter(varied.to_torch()).load_state_dict(varied.to_numpy().state_dict())


def test_it_can_be_pickled(varied: Split, plain: Plain) -> None:
    dataset = varied.shuffle(seed=3).filter(min_examples=2).to_torch(4)
    dataset.set_epoch(3)
    expected = plain(list(dataset))
    assert plain(list(pickle.loads(pickle.dumps(dataset)))) == expected


def test_images_are_tensors(pictures: Callable[..., Split]) -> None:
    assert next(iter(pictures(*[(4, 5)] * 3).to_torch(decode_images=True)))["image"].shape == (3, 4, 5, 3)


def test_images_of_several_sizes_are_a_list_of_tensors(pictures: Callable[..., Split]) -> None:
    sizes = [(4, 5), (5, 4), (4, 4)]
    images = next(iter(pictures(*sizes).to_torch(decode_images=True)))["image"]
    assert [tuple(image.shape[:2]) for image in images] == sizes


def test_the_library_loads_torch_only_when_asked(golden: Path) -> None:
    code = f"""
import sys, groupstream
stream = groupstream.open("text", {str(golden)!r})["train"].stream()
list(stream.to_numpy())
assert "torch" not in sys.modules
stream.to_torch()
assert "torch" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_error_in_a_worker_is_ours(golden_copy: Path) -> None:
    path = golden_copy / "text" / "1.0.0" / "train-00002-of-00003.tfrecord"
    path.write_bytes(path.read_bytes()[:-20])
    stream: GroupStream = groupstream.open("text", str(golden_copy))["train"].stream()
    with pytest.raises(groupstream.CorruptError, match="cut short"):
        list(loaded(stream.to_torch(), 2))
