"""Reads shards with Dataset Grouper's own loader, in its own environment: see README.md.

    PYTHON read_dataset_grouper.py groups FOLDER PATTERN   group by group, as its README shows
    PYTHON read_dataset_grouper.py flat FOLDER PATTERN     all examples of all groups, in batches of 64
    PYTHON read_dataset_grouper.py texts FOLDER PATTERN    group by group, the bytes of the feature `text` added up
    PYTHON read_dataset_grouper.py dump FOLDER PATTERN     the values themselves, as JSON

FOLDER holds features.json, which `groupstream export` writes. The first two print what they counted and the seconds
that reading took, without imports, as JSON; the third prints what group_loop.py says.
"""

import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import dataset_grouper as dsgp
import tensorflow as tf
import tensorflow_datasets as tfds
from group_loop import measure


def read_groups(stream):
    """Its README: `for group_dataset in partitioned_dataset.build_group_stream()`, then `as_numpy_iterator()`."""
    num_groups = num_examples = 0
    for group_dataset in stream:
        num_groups += 1
        for _ in group_dataset.as_numpy_iterator():
            num_examples += 1
    return {"groups": num_groups, "examples": num_examples}


def read_flat(stream, batch_size=64):
    num_batches = num_examples = 0
    flat = stream.flat_map(lambda group_dataset: group_dataset)
    is_fixed = all(spec.shape.is_fully_defined() for spec in tf.nest.flatten(flat.element_spec))
    batches = flat.batch(batch_size) if is_fixed else flat.ragged_batch(batch_size)
    for batch in batches.prefetch(tf.data.AUTOTUNE):
        num_batches += 1
        num_examples += int(next(iter(batch.values())).shape[0])
    return {"batches": num_batches, "examples": num_examples}


def open_texts(folder, pattern):
    """As its README iterates, the texts of each group."""
    stream = partitioned_dataset(folder, pattern).build_group_stream()
    return ((example["text"] for example in group.as_numpy_iterator()) for group in stream)


def dump(stream):
    return [[{k: _plain(v) for k, v in e.items()} for e in g.as_numpy_iterator()] for g in stream]


def _plain(value):
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return [_plain(v) for v in value] if isinstance(value, list) else value


def partitioned_dataset(folder, pattern):
    features = tfds.features.FeaturesDict.from_config(folder)
    return dsgp.PartitionedDataset(file_pattern=pattern, tfds_features=features)


def main():
    mode, folder, pattern = sys.argv[1:]
    if mode == "texts":
        measure(lambda: open_texts(folder, pattern), "dataset-grouper")
        return
    dataset = partitioned_dataset(folder, pattern)
    if mode == "dump":
        print(json.dumps(dump(dataset.build_group_stream(shuffle_files=False, num_parallel_reads=1))))
        return
    start = time.perf_counter()
    counts = {"groups": read_groups, "flat": read_flat}[mode](dataset.build_group_stream())
    print(json.dumps({**counts, "seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main()
