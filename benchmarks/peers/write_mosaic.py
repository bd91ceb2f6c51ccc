"""Writes MDS shards with Mosaic Streaming, in its own environment: see README.md.

    PYTHON write_mosaic.py SORTED TARGET

SORTED is a Parquet file whose groups are adjacent; so they are in the shards, each example with its group.
"""

import sys

from sorted_groups import sorted_groups
from streaming import MDSWriter


def main():
    path, target = sys.argv[1:]
    with MDSWriter(out=target, columns={"group": "str", "text": "str"}) as writer:
        for group, texts in sorted_groups(path):
            for text in texts:
                writer.write({"group": group.decode(), "text": text})


if __name__ == "__main__":
    main()
