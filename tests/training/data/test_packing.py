from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groupstream import Feature, UsageError
from training.data.form import ClientExamples
from training.data.labels import Labels
from training.data.numbers import NumberForm, choose_numbers
from training.data.packing import CohortPacker, Packing, PackingCounts, total
from training.data.text import TextForm
from training.data.tokenizer import byte_tokenizer

BYTES = byte_tokenizer()
FORM = TextForm(BYTES, ("text",), 4)
PACKINGS = [
    Packing(3, 2),
    Packing(3, 2, short="pad"),
    Packing(3, 2, num_epochs=2),
    Packing(2, 1, num_epochs=5, shuffle_seed=1),
    Packing(3, 2, shuffle_seed=9),
]


def places_of(cohort):
    """Of each client: its tokens as [places, sequence + 1], and their masks."""
    tokens, mask = cohort.batches["tokens"], cohort.batches["mask"]
    return tokens.reshape(len(tokens), -1, tokens.shape[-1]), mask.reshape(len(mask), -1, mask.shape[-1])


@pytest.fixture
def dataset(make_dataset):
    return make_dataset(
        {
            "long": [f"example {n}, with words" for n in range(20)],
            "short": ["to be or not"],
            "tiny": ["a"],
            "empty": ["", ""],
            "partly empty": ["", "that is"],
        }
    )


@pytest.mark.parametrize("packing", PACKINGS)
def test_counts_add_up_and_shapes_are_fixed(dataset, packing):
    cohorts = dataset["train"].cohorts(3, seed=4, sampling="epochs")
    packer = CohortPacker(FORM, packing, cohort_size=4)
    packed = [packer(cohorts[round]) for round in range(cohorts.rounds_per_epoch)]
    shape = (4, packing.num_steps, packing.batch_size)
    for cohort, counts in packed:
        assert cohort.batches["tokens"].shape == (*shape, 5) and cohort.batches["mask"].shape == (*shape, 4)
        assert (cohort.batches["tokens"].dtype, cohort.batches["mask"].dtype) == (np.int32, np.bool_)
        assert cohort.num_targets.dtype == np.int64 and cohort.num_targets.shape == (4,)
        assert cohort.num_targets.tolist() == cohort.batches["mask"].sum(axis=(1, 2, 3)).tolist()
        assert counts.num_targets == cohort.num_targets.sum()
        assert counts.num_clients == len(cohort.group_ids) == 4 - counts.num_places_without_client
        assert counts.num_items + counts.num_items_repeated + counts.num_items_padded == 4 * packing.max_items
        assert not cohort.batches["tokens"][len(cohort.group_ids) :].any()
        assert not cohort.num_targets[len(cohort.group_ids) :].any()
    counts = total(counts for _, counts in packed)
    assert (counts.num_clients, counts.num_places_without_client) == (5, 3)
    assert (counts.num_examples, counts.num_clients_without_targets) == (26, 1)
    assert counts.num_clients_cut >= 1 and counts.num_examples_read < 26
    assert counts.num_examples_empty == 3
    seen = [group_id for cohort, _ in packed for group_id in cohort.group_ids]
    assert sorted(seen) == [b"empty", b"long", b"partly empty", b"short", b"tiny"]


def pack_one(dataset, group_id: str, packing: Packing):
    return CohortPacker(FORM, packing, 1)(dataset["train"].cohorts(1, seed=0, group_ids=[group_id])[5])


def test_a_short_client_is_repeated_from_its_beginning(dataset):
    cohort, counts = pack_one(dataset, "short", Packing(4, 2))
    ((tokens,), _) = places_of(cohort)
    assert BYTES.decode(tokens[0]) == "to b"  # 13 targets are 4 sequences
    np.testing.assert_array_equal(tokens[4:], tokens[:4])
    assert counts == PackingCounts(
        num_clients=1,
        num_clients_repeated=1,
        num_examples=1,
        num_examples_read=1,
        num_items=4,
        num_items_repeated=4,
        num_targets=26,
    )


def test_a_short_client_is_padded(dataset):
    cohort, counts = pack_one(dataset, "short", Packing(4, 2, short="pad"))
    ((tokens,), (mask,)) = places_of(cohort)
    assert tokens[:4].any(axis=1).all() and not tokens[4:].any()
    assert (int(mask.sum()), counts.num_targets, counts.num_items_padded, counts.num_clients_padded) == (13, 13, 4, 1)
    assert not cohort.batches["mask"][0, 2:].any()  # whole steps


def test_epochs_are_its_own_examples_so_many_times(dataset):
    cohort, counts = pack_one(dataset, "short", Packing(6, 2, num_epochs=2))
    ((tokens,), _) = places_of(cohort)
    np.testing.assert_array_equal(tokens[4:8], tokens[:4])
    assert not tokens[8:].any()
    assert (counts.num_items, counts.num_items_repeated, counts.num_items_padded) == (4, 4, 4)
    assert (counts.num_clients_cut, counts.num_clients_repeated, counts.num_clients_padded) == (0, 1, 1)
    _, counts = pack_one(dataset, "short", Packing(3, 2, num_epochs=2))
    assert (counts.num_clients_cut, counts.num_items, counts.num_items_repeated) == (1, 4, 2)


def test_a_long_client_is_cut(dataset):
    cohort, counts = pack_one(dataset, "long", Packing(3, 2))
    ((tokens,), (mask,)) = places_of(cohort)
    assert mask.all()
    assert BYTES.decode(tokens[:, 1:].ravel()) == "example 0, with words"[:24] + "ex"
    assert (counts.num_clients_cut, counts.num_clients_repeated, counts.num_clients_padded) == (1, 0, 0)
    assert (counts.num_examples, counts.num_examples_read) == (20, 2)


def test_a_client_without_targets_keeps_its_place(dataset):
    cohort, counts = pack_one(dataset, "empty", Packing(3, 2))
    assert (cohort.group_ids, cohort.num_targets.tolist()) == ([b"empty"], [0])
    assert not cohort.batches["tokens"].any() and not cohort.batches["mask"].any()
    assert counts == PackingCounts(
        num_clients=1,
        num_clients_without_targets=1,
        num_examples=2,
        num_examples_read=2,
        num_examples_empty=2,
        num_items_padded=6,
    )


def assert_same(one, other):
    assert one.counts == other.counts and one.cohort.group_ids == other.cohort.group_ids
    for name, array in one.cohort.batches.items():
        assert array.tobytes() == other.cohort.batches[name].tobytes()


def test_a_round_is_the_same_in_any_order_of_rounds(dataset):
    cohorts = dataset["train"].cohorts(3, seed=4)
    packer = CohortPacker(FORM, Packing(3, 2, shuffle_seed=8), 3)
    forwards = [packer(cohorts[round]) for round in range(4)]
    for round in (3, 1, 0, 2):
        assert_same(packer(cohorts[round]), forwards[round])


@given(st.integers(1, 40), st.integers(0, 5), st.sampled_from(PACKINGS), st.binary(max_size=4))
@settings(max_examples=200, deadline=None)
def test_every_item_is_taken_as_often_as_any_other_or_once_more(num_items, round, packing, group_id):
    places = packing.places(num_items, round, group_id)
    counts = np.bincount(places, minlength=num_items)
    assert counts.max() - counts.min() <= 1 and len(places) <= packing.max_items
    for start in range(0, len(places) - num_items, num_items):
        assert sorted(places[start : start + num_items].tolist()) == list(range(num_items))
    again = packing.places(num_items, round, group_id)
    assert places.tolist() == again.tolist()


def test_shuffling_differs_by_seed_round_group_and_epoch():
    def places(seed=1, round=2, group_id=b"g", num_steps=50):
        return Packing(num_steps, 2, shuffle_seed=seed).places(50, round, group_id).tolist()

    assert sorted(places()[:50]) == list(range(50)) and places()[:50] != places()[50:]
    several = [places()[:50], places()[50:], places(seed=2)[:50], places(round=3)[:50], places(group_id=b"h")[:50]]
    assert len(set(map(tuple, several))) == 5
    assert places(num_steps=25) == places()[:50]


def test_shuffled_items_are_those_of_the_client(dataset):
    plain, _ = places_of(pack_one(dataset, "short", Packing(2, 2)).cohort)
    shuffled, _ = places_of(pack_one(dataset, "short", Packing(2, 2, shuffle_seed=3)).cohort)
    assert sorted(plain[0].tolist()) == sorted(shuffled[0].tolist()) and plain.tolist() != shuffled.tolist()


def test_more_clients_than_places_are_refused(dataset):
    with pytest.raises(UsageError, match="round 0 has more than 2 clients; give the packer"):
        CohortPacker(FORM, Packing(1, 1), 2)(dataset["train"].cohorts(3, seed=4)[0])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"num_steps": 0}, "num_steps is 0; it should be at least 1"),
        ({"batch_size": -1}, "batch_size is -1"),
        ({"num_epochs": 0}, "num_epochs is 0"),
        ({"short": "wrap"}, "short is 'wrap'; it is repeat or pad"),
    ],
)
def test_settings_out_of_range_are_refused(settings, words):
    with pytest.raises(UsageError, match=words):
        Packing(**{"num_steps": 1, "batch_size": 1, **settings})


@given(st.lists(st.integers(0, 9), min_size=26, max_size=26))
def test_counts_add(values):
    names = [field.name for field in dataclasses.fields(PackingCounts)]
    one, other = (PackingCounts(**dict(zip(names, values[start:], strict=False))) for start in (0, 13))
    both = dataclasses.asdict(one + other)
    assert both == {name: values[i] + values[13 + i] for i, name in enumerate(names)}
    assert total([one, other]) == one + other and total([]) == PackingCounts()


class EndlessGroup:
    """A group that has examples without end, and knows how many blocks were taken."""

    id, num_examples = b"endless", 1 << 40
    num_taken = 0

    def batches(self) -> Iterator[pa.RecordBatch]:
        while True:
            self.num_taken += 1
            yield pa.record_batch({"text": ["to be or not to be"] * 20})


class EndlessClients(NamedTuple):
    groups: list[EndlessGroup]
    round: int = 0

    def __iter__(self):
        return iter(self.groups)


def test_a_client_far_larger_than_needed_is_not_read_whole():
    group = EndlessGroup()
    cohort, counts = CohortPacker(FORM, Packing(50, 10), 1)(EndlessClients([group]))
    assert cohort.num_targets.tolist() == [2_000]
    assert group.num_taken <= 8 and counts.num_clients_cut == 1


def test_a_stored_client_far_larger_than_needed_is_not_read_whole(make_dataset):
    text = "to be or not to be, that is the question. " * 1_200
    dataset = make_dataset({"large": [text] * 400, "b": ["x"]})
    group = dataset["train"].group("large")
    assert group.num_bytes > 4 * (4 << 20)
    blocks = []
    client = ClientExamples((blocks.append(block) or block for block in group.batches()), 100)
    (items,) = FORM.read([client])
    assert len(items) == 100 and items.is_cut and len(blocks) == 1


NUMBERS = {
    "x": Feature(dtype="float32"),
    "pixels": Feature(dtype="uint8", shape=(2, 2)),
    "label": Feature(dtype="int64"),
    "words": Feature(dtype="string", optional=True),
}


def test_numbers_are_packed_with_their_labels(make_dataset):
    examples = [{"x": n / 2, "pixels": [n, n + 1, n + 2, n + 3], "label": n % 3} for n in range(5)]
    dataset = make_dataset({"a": examples, "b": examples[:1]}, NUMBERS)
    form = choose_numbers(dataset, Labels("label", ("a", "b", "c")), ["x", "pixels"])
    assert form == NumberForm(("x", "pixels"), 5, Labels("label", ("a", "b", "c")))
    assert form.features == ("x", "pixels", "label")
    cohorts = dataset["train"].select(*form.features).cohorts(2, seed=0, sampling="epochs")
    cohort, counts = CohortPacker(form, Packing(2, 2, short="pad"), 2)(cohorts[0])
    large, small = (cohort.group_ids.index(group_id) for group_id in (b"a", b"b"))
    features, label = cohort.batches["features"], cohort.batches["label"]
    assert features.shape == (2, 2, 2, 5) and features.dtype == np.float32 and label.dtype == np.int32
    assert features[large].reshape(4, 5).tolist() == [[n / 2, n, n + 1, n + 2, n + 3] for n in range(4)]
    assert label[large].tolist() == [[0, 1], [2, 0]]
    assert cohort.batches["mask"][small].tolist() == [[True, False], [False, False]]
    assert cohort.num_targets[[large, small]].tolist() == [4, 1]
    assert (counts.num_clients_cut, counts.num_examples, counts.num_examples_read) == (1, 6, 5)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["words"], "'words' of .* is string"),
        (["label"], "'label' of .* is the label"),
        ([], "no feature of .* is named"),
    ],
)
def test_what_is_no_number_is_refused(make_dataset, names, words):
    dataset = make_dataset({"a": [{"x": 1, "pixels": [1, 2, 3, 4], "label": 0}]}, NUMBERS)
    with pytest.raises(UsageError, match=words):
        choose_numbers(dataset, Labels("label", ("a",)), names)
