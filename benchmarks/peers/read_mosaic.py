"""Reads MDS shards with Mosaic Streaming, in its own environment: see README.md.

    PYTHON read_mosaic.py FOLDER

In the order in which they were written, in which groups are adjacent: it knows no groups. It sleeps 7 ms wherever it
catches up with the thread that looks for shards, which is 8 batches ahead unless told otherwise; so that thread may run
far ahead. Prints what it counted and what that took as JSON: see group_loop.py.
"""

import itertools
import sys
from operator import itemgetter

from group_loop import measure
from streaming import StreamingDataset
from streaming.base.util import clean_stale_shared_memory

AHEAD_EXAMPLES = 100_000


def open_groups():
    clean_stale_shared_memory()  # of a process that was stopped
    samples = StreamingDataset(
        local=sys.argv[1], batch_size=1, num_canonical_nodes=1, predownload=AHEAD_EXAMPLES, shuffle=False
    )
    grouped = itertools.groupby(samples, key=itemgetter("group"))
    return (map(itemgetter("text"), group) for _, group in grouped)


if __name__ == "__main__":
    measure(open_groups, "mosaicml-streaming")
