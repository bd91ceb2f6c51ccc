"""The groups of a Parquet file whose groups are adjacent, as `groupstream export --format parquet` writes it."""

import itertools
from operator import itemgetter

import pyarrow.parquet as pq


def sorted_groups(path):
    """The id of each group, as bytes, with the list of its texts. Memory: a batch of the file, and one group."""
    for group_id, rows in itertools.groupby(_rows(path), key=itemgetter(0)):
        yield group_id, [text for _, text in rows]


def _rows(path):
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["group_id", "text"]):
            yield from zip(batch["group_id"].to_pylist(), batch["text"].to_pylist(), strict=True)
