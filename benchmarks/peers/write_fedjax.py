"""Writes an SQLite file with FedJAX, in its own environment: see README.md.

    PYTHON write_fedjax.py SORTED TARGET

SORTED is a Parquet file whose groups are adjacent. FedJAX keeps a group in one row: its arrays as msgpack in zlib.
"""

import sys

import fedjax
import numpy as np
from sorted_groups import sorted_groups


def main():
    path, target = sys.argv[1:]
    clients = ((group, {"text": np.array([t.encode() for t in texts], object)}) for group, texts in sorted_groups(path))
    with fedjax.SQLiteFederatedDataBuilder(target) as builder:
        builder.add_many(clients)


if __name__ == "__main__":
    main()
