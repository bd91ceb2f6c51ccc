"""Partitions a prepared TFDS dataset with Dataset Grouper, in its own environment: see README.md.

    PYTHON partition_dataset_grouper.py FOLDER PREFIX KEY

As its README shows: `tfds_to_tfrecords` and a Beam pipeline with no options. FOLDER is a prepared TFDS dataset, PREFIX
the beginning of the names of its shards, KEY the feature to group by. Prints the seconds that it took, without imports,
as JSON.
"""

import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import apache_beam as beam
import dataset_grouper as dsgp
import tensorflow_datasets as tfds


def main():
    folder, prefix, key = sys.argv[1:]
    start = time.perf_counter()
    builder = tfds.builder_from_directory(folder)
    pipeline = dsgp.tfds_to_tfrecords(
        dataset_builder=builder,
        split="train",
        get_key_fn=lambda example: example[key].numpy(),
        file_path_prefix=prefix,
    )
    with beam.Pipeline() as root:
        pipeline(root)
    print(json.dumps({"seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main()
