from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groupstream import UsageError
from training.data.held_out_clients import HeldOutCounts, HeldOutPacker, examples_of_half
from training.data.packing import Packing, PackingCounts
from training.data.text import TextForm
from training.data.tokenizer import byte_tokenizer

BYTES = byte_tokenizer()
FORM = TextForm(BYTES, ("text",), 4)
PACKER = HeldOutPacker(FORM, Packing(50, 2), Packing(50, 2, short="pad"), cohort_size=5, seed=3)


@pytest.fixture
def cohort(make_dataset):
    dataset = make_dataset(
        {
            "many": [f"<{n}>" for n in range(20)],
            "article": ["To be, or not to be, that is the question"],
            "two": ["one", "two"],
            "tiny": ["ab"],
            "nothing": [""],
            "half": ["", "text"],
        }
    )
    return dataset["train"].cohorts(6, seed=1)[0]


def targets(packed, group_id):
    """The sequences of the targets of a client, without repetition, as text; and its padded places."""
    place = packed.group_ids.index(group_id)
    tokens, mask = packed.batches["tokens"][place].reshape(-1, 5), packed.batches["mask"][place].reshape(-1, 4)
    return [BYTES.decode(row[1:][counts]) for row, counts in zip(tokens, mask, strict=True)]


def test_tuning_and_testing_are_disjoint_and_complete(cohort):
    packed = PACKER(cohort)
    assert packed.tuning.group_ids == packed.testing.group_ids
    assert set(packed.tuning.group_ids) == {b"many", b"article", b"two"}
    halves = ["".join(targets(half, b"many")) for half in (packed.tuning, packed.testing)]
    tuned, tested = ({*half.replace(">", "> ").split()} for half in halves)
    assert tuned | tested == {f"<{n}>" for n in range(20)} and not tuned & tested
    assert (len(tuned), len(tested)) == (10, 10)
    assert {"".join(dict.fromkeys(targets(half, b"two"))) for half in (packed.tuning, packed.testing)} == {"one", "two"}


def test_a_single_example_is_divided_by_its_sequences(cohort):
    packed = PACKER(cohort)
    tuned = targets(packed.tuning, b"article")
    tested = targets(packed.testing, b"article")
    num_tuned = tuned.index(tuned[0], 1)  # then it is repeated
    assert "".join(tuned[:num_tuned]) + "".join(tested) == "To be, or not to be, that is the question"
    first_tested = packed.testing.batches["tokens"][packed.testing.group_ids.index(b"article")].reshape(-1, 5)[0]
    assert BYTES.decode(first_tested[:1]) == tuned[num_tuned - 1][-1]  # a target there, an input here


def test_what_is_skipped_has_a_reason(cohort):
    tuning, testing, counts = PACKER(cohort)
    assert (counts.num_clients, counts.num_too_small, counts.num_without_targets) == (6, 1, 2)
    assert counts.tuning.num_clients == counts.testing.num_clients == 3
    assert counts.tuning.num_places_without_client == counts.testing.num_places_without_client == 2
    assert (counts.tuning.num_examples, counts.testing.num_examples) == (10 + 1 + 1, 10 + 1 + 1)
    for half, its_counts in ((tuning, counts.tuning), (testing, counts.testing)):
        assert half.batches["tokens"].shape == (5, 50, 2, 5)
        assert its_counts.num_targets == half.num_targets.sum() and (half.num_targets[:3] > 0).all()
        assert not half.batches["mask"][3:].any()
    assert counts.testing.num_items_repeated == 0


def test_the_paper_tests_on_what_it_tunes_on(cohort):
    packer = dataclasses.replace(PACKER, protocol="paper", tuning=Packing(50, 2, short="pad"), cohort_size=6)
    tuning, testing, counts = packer(cohort)
    assert (counts.num_too_small, counts.num_without_targets) == (0, 1)
    assert set(tuning.group_ids) == {b"many", b"article", b"two", b"tiny", b"half"}
    for name, array in tuning.batches.items():
        np.testing.assert_array_equal(array, testing.batches[name])


def test_the_same_whatever_else_is_in_the_cohort(cohort):
    whole = PACKER(cohort)
    for place, group in enumerate(cohort):
        alone = PACKER(cohort[place : place + 1])
        assert alone.tuning.group_ids == [group_id for group_id in whole.tuning.group_ids if group_id == group.id]
        for half, its in ((whole.tuning, alone.tuning), (whole.testing, alone.testing)):
            for name in half.batches:
                for at, group_id in enumerate(its.group_ids):
                    expected = half.batches[name][half.group_ids.index(group_id)]
                    np.testing.assert_array_equal(its.batches[name][at], expected)


class CountedGroup:
    """A group of numbers, in blocks of some size."""

    def __init__(self, num_examples: int, block_examples: int) -> None:
        self.id = b"g"
        self.num_examples = num_examples
        self._block_examples = block_examples

    def batches(self):
        numbers = pa.record_batch({"n": pa.array(np.arange(self.num_examples))})
        for start in range(0, self.num_examples, self._block_examples):
            yield numbers.slice(start, self._block_examples)


@given(st.integers(2, 200), st.integers(1, 50), st.integers(1, 50), st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_halves_depend_on_no_blocks(num_examples, block_examples, other, seed):
    def half(size, is_tuning):
        blocks = examples_of_half(CountedGroup(num_examples, size), seed, is_tuning=is_tuning)
        return [n for block in blocks for n in block.column("n").to_pylist()]

    tuned, tested = half(block_examples, True), half(block_examples, False)
    assert sorted(tuned + tested) == list(range(num_examples))
    assert len(tuned) == num_examples // 2
    assert (tuned, tested) == (half(other, True), half(other, False))


def test_halves_differ_by_seed(cohort):
    group = next(group for group in cohort if group.id == b"many")
    halves = {
        tuple(text for block in examples_of_half(group, seed, is_tuning=True) for text in block["text"].to_pylist())
        for seed in range(5)
    }
    assert len(halves) == 5


def test_counts_add():
    one = HeldOutCounts(3, 1, 0, PackingCounts(num_clients=2), PackingCounts(num_targets=5))
    other = HeldOutCounts(4, 0, 2, PackingCounts(num_clients=1), PackingCounts(num_targets=6))
    assert one + other == HeldOutCounts(7, 1, 2, PackingCounts(num_clients=3), PackingCounts(num_targets=11))


@pytest.mark.parametrize("testing", [Packing(1, 1), Packing(1, 1, num_epochs=2)])
def test_testing_repeats_nothing(testing):
    with pytest.raises(UsageError, match="testing repeats targets"):
        dataclasses.replace(PACKER, testing=testing)
    with pytest.raises(UsageError, match="protocol is 'own'; it is divided or paper"):
        dataclasses.replace(PACKER, protocol="own")
