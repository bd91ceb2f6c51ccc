"""The folder of a version is an ordinary TFDS dataset: every dtype and shape, in the same order as our reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import groupstream

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"
# What TFDS gives where a feature is missing: it has no null.
MISSING = {"string": b"", "bytes": b"", "float32": np.finfo(np.float32).min, "int64": np.iinfo(np.int64).min}


@pytest.mark.integration
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(folder.name for folder in GOLDEN.iterdir()))
def test_tfds_reads_every_example(name: str) -> None:
    import tensorflow_datasets as tfds

    (folder,) = (GOLDEN / name).iterdir()
    dataset = groupstream.open(folder)
    builder = tfds.builder_from_directory(folder)
    found = list(tfds.as_numpy(builder.as_dataset(split="train", shuffle_files=False)))
    expected = [(group.id, example) for group in dataset["train"] for example in group.examples()]
    assert len(found) == len(expected) == dataset["train"].num_examples
    for theirs, (group_id, ours) in zip(found, expected, strict=True):
        assert theirs.pop("group_id") == group_id
        assert set(theirs) == set(ours)
        for feature, value in ours.items():
            np.testing.assert_array_equal(theirs[feature], as_tfds(value, dataset.features[feature]))


def as_tfds(value, feature):
    if value is None:
        return MISSING[feature.dtype]
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, list) and feature.dtype == "string":
        return np.array([v.encode() for v in value], object)
    return value
