"""Numbers on one scale, and categories, as the vectors of a regression."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from groupstream import ExampleError, Feature, UnknownKeyError, UsageError
from training.data.form import ClientExamples
from training.data.held_out import count_groups, divide_groups
from training.data.labels import find_labels
from training.data.numbers import choose_numbers
from training.data.packing import CohortPacker, Packing
from training.problem import open_problem
from training.spec import TrainSpec

FEATURES = {
    "price": Feature(dtype="float32"),
    "box": Feature(dtype="uint8", shape=(2,)),
    "colour": Feature(dtype="string"),
    "size": Feature(dtype="int64", labels=("small", "large", "huge")),
    "sold": Feature(dtype="int64"),
}
COLOURS = ("red", "blue", "green")


def example(n: int, price: float | None = None) -> dict:
    price = 1e6 + n if price is None else price
    return {"price": price, "box": [n, 7], "colour": COLOURS[n % 3], "size": n % 2, "sold": n % 2}


@pytest.fixture
def goods(make_dataset):
    """10 groups of different sizes, 65 examples."""
    numbers = iter(range(65))
    return make_dataset({f"shop {g}": [example(next(numbers)) for _ in range(2 + g)] for g in range(10)}, FEATURES)


def vectors(dataset, form, groups=None):
    """Of each example, by its place: float32[num_examples, num_features]."""
    groups = groups or dataset["train"].stream()
    cohort, counts = CohortPacker(form, Packing(1, 65, short="pad"), 10)(
        groups.select(*form.features).cohorts(count_groups(groups), seed=0, sampling="epochs")[0]
    )
    assert not counts.num_clients_cut
    mask = cohort.batches["mask"]
    return cohort.batches["features"][mask], cohort.batches["label"][mask]


def test_each_value_of_a_category_is_a_number_that_is_one_where_it_is_there(goods):
    form = choose_numbers(goods, find_labels(goods, "sold"), ["box"], ["colour", "size"])
    assert form.features == ("box", "colour", "size", "sold")
    assert form.num_features == 2 + 3 + 3, "a class that no example has, huge, has its place"
    found, labels = vectors(goods, form)
    order = np.argsort(found[:, 0])
    assert len(found) == 65
    for n, (vector, label) in enumerate(zip(found[order], labels[order], strict=True)):
        colour = [float(name == COLOURS[n % 3]) for name in sorted(COLOURS)]
        assert vector.tolist() == [n, 7, *colour, float(n % 2 == 0), float(n % 2 == 1), 0]
        assert label == n % 2


@pytest.mark.parametrize("chunk_bytes", [1, 4 << 20])  # a group at a time, and all at once
def test_numbers_get_mean_0_and_variance_1_over_the_groups_that_take_part(goods, chunk_bytes, monkeypatch):
    monkeypatch.setattr("groupstream.chunk.CHUNK_BYTES", chunk_bytes)
    divided = divide_groups(goods, fraction=0.4, seed=3)
    form = choose_numbers(goods, find_labels(goods, "sold"), ["price", "box"], (), divided.training)
    taken = [row for group in divided.training for row in group.examples()]
    assert 0 < len(taken) < 65
    prices = np.array([row["price"] for row in taken])
    assert form.scale.means == pytest.approx([prices.mean(), prices.mean() - 1e6, 7])
    assert form.scale.deviations == pytest.approx([prices.std(), prices.std(), 1]), "what never changes is not divided"
    found, _ = vectors(goods, form, divided.training)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(axis=0), [1, 1, 0], atol=1e-5)


def test_a_number_that_is_none_is_refused_where_the_scale_is_measured(make_dataset):
    dataset = make_dataset({"a": [example(0), example(1, float("nan"))]}, FEATURES)
    with pytest.raises(ExampleError, match=r"one of price, box is NaN or infinite .* \{price: \{finite: true\}\}"):
        choose_numbers(dataset, find_labels(dataset, "sold"), ["price", "box"], (), dataset["train"].stream())


def test_a_block_without_examples_adds_none(goods):
    form = choose_numbers(goods, find_labels(goods, "sold"), ["price", "box"], ["colour"], goods["train"].stream())
    (block,) = goods["train"].group("shop 3").batches()
    with_empty, without = form.read([ClientExamples(iter(blocks)) for blocks in ([block[:0], block], [block])])
    for name, array in without.arrays.items():
        np.testing.assert_array_equal(with_empty.arrays[name], array)
    assert len(without) == 5


@pytest.mark.parametrize(
    ("categories", "error", "words"),
    [
        (["price"], UsageError, "'price' of .* is float32; a label is a whole number or a string"),
        (["sold"], UsageError, "'sold' of .* is the label"),
        (["color"], UnknownKeyError, "no feature 'color'"),
    ],
)
def test_what_is_no_category_is_refused(goods, categories, error, words):
    with pytest.raises(error, match=words):
        choose_numbers(goods, find_labels(goods, "sold"), ["box"], categories)


def test_a_category_of_too_many_values_is_refused(goods, monkeypatch):
    monkeypatch.setattr("training.data.numbers.MAX_VALUES", 2)
    with pytest.raises(UsageError, match=r"'colour' of .* has 3 values, and a category has at most 2"):
        choose_numbers(goods, find_labels(goods, "sold"), ["box"], ["colour"])


def test_a_spec_says_which_are_categories_and_whether_numbers_are_scaled(goods, tmp_path):
    model = {"kind": "logistic_regression", "label": "sold", "categories": ["colour"]}
    fields = {"dataset": goods.location, "model": model, "evaluation": {"fraction": 0.3}}
    problem = open_problem(TrainSpec.model_validate(fields), tmp_path)
    assert (problem.form.num_features, problem.form.scale, problem.sizes.num_inputs) == (3, None, 3)
    fields["model"] = model | {"numbers": ["price"], "standardise": True}
    problem = open_problem(TrainSpec.model_validate(fields), tmp_path)
    prices = [row["price"] for group in problem.groups.training for row in group.examples()]
    assert problem.form.scale.means == pytest.approx([np.mean(prices)])
    fields["model"] = model | {"standardise": True}
    with pytest.raises(ValidationError, match="standardise is for features that are numbers"):
        TrainSpec.model_validate(fields)
