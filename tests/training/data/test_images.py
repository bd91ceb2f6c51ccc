from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from groupstream import ExampleError, Feature, UnknownKeyError, UsageError
from training.data.images import ImageForm, find_images
from training.data.labels import Labels, choose_label, find_labels
from training.data.packing import CohortPacker, Packing

PNG = {"image": Feature(dtype="bytes", image_format="png"), "label": Feature(dtype="int64", labels=("cat", "dog"))}
TENSOR = {"image": Feature(dtype="uint8", shape=(2, 3)), "digit": Feature(dtype="int64")}


def png(value: int, mode: str = "RGB", size: tuple[int, int] = (3, 2)) -> bytes:
    stream = io.BytesIO()
    Image.new(mode, size, value).save(stream, "PNG")
    return stream.getvalue()


def pack(dataset, form, packing, size=2):
    cohorts = dataset["train"].select(*form.features).cohorts(size, seed=0, sampling="epochs")
    return CohortPacker(form, packing, size)(cohorts[0])


def test_encoded_images_are_packed(make_dataset):
    examples = [{"image": png(n), "label": n % 2} for n in range(5)]
    dataset = make_dataset({"a": examples, "b": examples[:1]}, PNG)
    form = find_images(dataset, find_labels(dataset))
    assert form == ImageForm("image", (2, 3, 3), Labels("label", ("cat", "dog")))
    cohort, counts = pack(dataset, form, Packing(2, 2))
    assert {name: (array.shape, array.dtype) for name, array in cohort.batches.items()} == {
        "image": ((2, 2, 2, 2, 3, 3), np.uint8),
        "label": ((2, 2, 2), np.int32),
        "mask": ((2, 2, 2), np.bool_),
    }
    large, small = (cohort.group_ids.index(group_id) for group_id in (b"a", b"b"))
    assert cohort.batches["image"][large, :, :, 0, 0, 0].tolist() == [[0, 1], [2, 3]]
    assert cohort.batches["label"][large].tolist() == [[0, 1], [0, 1]]
    assert cohort.batches["mask"].all() and cohort.num_targets.tolist() == [4, 4]
    assert not cohort.batches["image"][small].any()
    assert (counts.num_clients_cut, counts.num_items, counts.num_items_repeated) == (1, 5, 3)
    cohort, counts = pack(dataset, form, Packing(2, 2, short="pad"))
    assert cohort.batches["mask"][small].tolist() == [[True, False], [False, False]]
    assert counts.num_targets == 5


def test_tensors_are_packed(make_dataset):
    dataset = make_dataset({"a": [{"image": [n] * 6, "digit": 7 - n} for n in range(3)]}, TENSOR)
    labels = find_labels(dataset)
    assert labels.names == ("5", "6", "7") and labels.num_classes == 3
    form = find_images(dataset, labels)
    assert form.shape == (2, 3, 1)
    cohort, _ = pack(dataset, form, Packing(3, 1), 1)
    assert cohort.batches["image"][0, :, 0, 1, 2, 0].tolist() == [0, 1, 2]
    assert cohort.batches["label"].ravel().tolist() == [2, 1, 0]


def test_names_of_classes_become_labels(make_dataset):
    features = {**PNG, "label": Feature(dtype="string")}
    examples = [{"image": png(0), "label": label} for label in ("dog", "ant", "cat")]
    dataset = make_dataset({"a": examples}, features, validation={"b": [{"image": png(0), "label": "bee"}]})
    labels = find_labels(dataset)
    assert labels.names == ("ant", "bee", "cat", "dog")
    cohort, _ = pack(dataset, find_images(dataset, labels), Packing(3, 1), 1)
    assert cohort.batches["label"].ravel().tolist() == [3, 0, 2]


@pytest.mark.parametrize("label", [2, -1])
def test_a_label_of_no_class_is_refused(make_dataset, label):
    dataset = make_dataset({"a": [{"image": png(0), "label": label}]}, PNG)
    with pytest.raises(ExampleError, match=f"label is {label}, which is none of the 2 classes"):
        pack(dataset, find_images(dataset, find_labels(dataset)), Packing(1, 1), 1)


def test_an_unknown_name_and_a_missing_value_are_refused(make_dataset):
    features = {**PNG, "label": Feature(dtype="string", optional=True)}
    dataset = make_dataset({"a": [{"image": png(0), "label": "dog"}]}, features)
    labels = find_labels(dataset)
    for label, words in (
        ("cat", "label is 'cat', which is none of the 1 classes"),
        (None, "1 of 1 examples have no"),
    ):
        other = make_dataset({"a": [{"image": png(0), "label": label}]}, features)
        with pytest.raises(ExampleError, match=words):
            pack(other, find_images(other, labels), Packing(1, 1), 1)


def test_an_image_of_another_shape_is_refused(make_dataset):
    examples = [{"image": png(0), "label": 0}, {"image": png(0, "L"), "label": 0}]
    dataset = make_dataset({"a": examples}, PNG)
    with pytest.raises(ExampleError, match=r"shape \(2, 3, 1\), the first one has \(2, 3, 3\)"):
        pack(dataset, find_images(dataset, find_labels(dataset)), Packing(2, 1), 1)


INT, STRING = Feature(dtype="int64"), Feature(dtype="string")


@pytest.mark.parametrize(
    ("features", "stated", "chosen"),
    [
        ({"a": INT, "b": Feature(dtype="int64", labels=("x",))}, None, "b"),
        ({"a": INT, "label": STRING}, None, "label"),
        ({"a": INT, "label": INT, "kind": STRING}, "kind", "kind"),
        ({"a": INT, "words": STRING}, None, "a"),
    ],
)
def test_a_label_is_chosen_by_rule(make_dataset, features, stated, chosen):
    values = {"string": "x", "int64": 0}
    example = {name: values[feature.dtype] for name, feature in features.items()}
    dataset = make_dataset({"g": [example]}, features, {"label_feature": stated})
    assert choose_label(dataset) == chosen


def test_what_cannot_be_chosen_is_said(make_dataset):
    features = {"a": INT, "b": INT, "score": Feature(dtype="float32"), "one": PNG["image"], "two": PNG["image"]}
    dataset = make_dataset({"g": [{"a": 0, "b": 0, "score": 0, "one": png(0), "two": png(0)}]}, features)
    with pytest.raises(UsageError, match=r"no feature of .* is clearly the label; name one of a, b"):
        choose_label(dataset)
    with pytest.raises(UsageError, match=r"'score' of .* is float32; a label is a whole number or a string"):
        choose_label(dataset, "score")
    labels = find_labels(dataset, "a")
    with pytest.raises(UsageError, match="has 2 features of images: one, two"):
        find_images(dataset, labels)
    assert find_images(dataset, labels, "two").feature == "two"
    with pytest.raises(UsageError, match=r"'score' of .* is float32 of shape \[\], no image"):
        find_images(dataset, labels, "score")
    for find in (lambda: find_images(dataset, labels, "x"), lambda: choose_label(dataset, "x")):
        with pytest.raises(UnknownKeyError, match="has no feature 'x'"):
            find()
