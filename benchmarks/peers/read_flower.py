"""Reads all partitions of a Hugging Face dataset with Flower Datasets, in its own environment: see README.md.

    PYTHON read_flower.py FOLDER FEATURE

FOLDER is what `save_to_disk` wrote; a partition is the examples with one value of FEATURE. Prints what it counted and
what that took as JSON: see group_loop.py.
"""

import sys

import datasets
from flwr_datasets.partitioner import NaturalIdPartitioner
from group_loop import measure


def open_groups():
    folder, feature = sys.argv[1:]
    partitioner = NaturalIdPartitioner(partition_by=feature)
    partitioner.dataset = datasets.load_from_disk(folder)
    return (partitioner.load_partition(number)["text"][:] for number in range(partitioner.num_partitions))


if __name__ == "__main__":
    measure(open_groups, "flwr-datasets")
