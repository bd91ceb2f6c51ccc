"""Our decoding of tf.train.Examples against TensorFlow's own, and lists of tensors as TFDS reads them."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groupstream import Feature
from groupstream.binary import data_of, joined
from groupstream.examples.decoding import decode_examples
from groupstream.examples.encoding import encode_examples, encode_group_ids
from groupstream.features import arrow_schema
from groupstream.python_values import python_values
from groupstream.tfds_metadata import features_json
from groupstream.tfrecord import frame_records

SCALARS = {"text": "bytes", "year": "int64", "score": "float32"}
LISTS = {"words": "bytes", "counts": "int64", "weights": "float32"}
FEATURES = {name: Feature(dtype=dtype) for name, dtype in SCALARS.items()} | {
    name: Feature(dtype=dtype, shape=(None,), optional=True) for name, dtype in LISTS.items()
}
VALUES = {
    "bytes": st.binary(max_size=200),
    "int64": st.integers(-(1 << 63), (1 << 63) - 1),
    "float32": st.floats(width=32, allow_nan=False),
}
EXAMPLES = st.fixed_dictionaries(
    {name: VALUES[dtype] for name, dtype in SCALARS.items()},
    optional={name: st.lists(VALUES[dtype], max_size=5) for name, dtype in LISTS.items()},
)


@pytest.mark.integration
@pytest.mark.filterwarnings("ignore")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(EXAMPLES, min_size=1, max_size=4), st.sampled_from([1, 40]))
def test_tensorflow_parses_the_same_values(examples: list[dict], copies: int) -> None:
    tf = pytest.importorskip("tensorflow")
    records = [tf_example(tf, example).SerializeToString() for example in examples] * copies
    theirs = tf.io.parse_example(records, tf_features(tf))
    ours = decode_examples(pa.array(records, pa.large_binary()), FEATURES)
    for name in SCALARS:
        assert ours.column(name).to_pylist() == theirs[name].numpy().tolist()
    for name in LISTS:  # TensorFlow does not tell a missing list from an empty one
        assert [values or [] for values in ours.column(name).to_pylist()] == theirs[name].to_list()


def tf_example(tf, values):
    kinds = {"bytes": "bytes_list", "int64": "int64_list", "float32": "float_list"}
    example = tf.train.Example()
    for name, value in values.items():
        target = getattr(example.features.feature[name], kinds[FEATURES[name].dtype])
        target.SetInParent()
        target.value.extend(value if name in LISTS else [value])
    return example


def tf_features(tf):
    types = {"bytes": tf.string, "int64": tf.int64, "float32": tf.float32}
    return {name: tf.io.FixedLenFeature([], types[dtype]) for name, dtype in SCALARS.items()} | {
        name: tf.io.RaggedFeature(types[dtype], row_splits_dtype=tf.int64) for name, dtype in LISTS.items()
    }


@pytest.mark.integration
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float32"])
def test_tfds_reads_lists_of_tensors(tmp_path, dtype) -> None:
    tfds = pytest.importorskip("tensorflow_datasets")
    features = {
        "x": Feature(dtype=dtype, shape=(None, 2, 3)),
        "y": Feature(dtype=dtype, shape=(None, 2), optional=True),
    }
    numbers = np.arange(18).reshape(3, 2, 3).astype(dtype).tolist()
    rows = [{"x": numbers, "y": [numbers[0][0][:2]]}, {"x": [], "y": []}, {"x": numbers[:1], "y": None}]
    batch = pa.RecordBatch.from_pylist(rows, arrow_schema(features))
    ids = encode_group_ids(pa.array([b"g"] * len(rows), pa.large_binary()))
    write_tfds_folder(tmp_path, features, joined(encode_examples(batch, features), ids))
    builder = tfds.builder_from_directory(tmp_path)
    found = list(tfds.as_numpy(builder.as_dataset(split="train", shuffle_files=False)))
    for name, feature in features.items():
        expected = python_values(batch.column(name))
        for theirs, ours in zip(found, expected, strict=True):
            ours = np.zeros((0, *feature.tensor_shape), dtype) if ours is None else ours
            assert theirs[name].dtype == dtype
            np.testing.assert_array_equal(theirs[name], ours)


def write_tfds_folder(folder, features, records) -> None:
    (folder / "made-train.tfrecord-00000-of-00001").write_bytes(data_of(frame_records(records)))
    split = {"name": "train", "numBytes": "1", "shardLengths": [str(len(records))]}
    info = {"name": "made", "version": "1.0.0", "fileFormat": "tfrecord", "splits": [split]}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    (folder / "features.json").write_text(json.dumps(features_json(features)))
