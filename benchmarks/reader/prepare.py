"""The same examples for every peer: a Hugging Face dataset sorted by group, SQLite, Dataset Grouper's shards."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import numpy as np

from benchmarks.reader.cases import split_of


def prepare_hugging_face(folder: Path, name: str) -> None:
    """A dataset saved to disk, and where its groups end."""
    target = folder / "peers" / name
    if (target / "ends.json").exists():
        return
    import datasets
    import pyarrow as pa

    split = split_of(folder, name)
    table = pa.Table.from_batches(batch for chunk in split.stream().chunks() for batch in chunk.blocks())
    datasets.Dataset(table).save_to_disk(str(target / "hf"))
    ends = np.cumsum(split.group_table(["num_examples"])["num_examples"].to_numpy())
    (target / "ends.json").write_text(json.dumps(ends.tolist()))


def prepare_sqlite(folder: Path, name: str) -> None:
    """A table of serialised examples with an index over the groups."""
    path = folder / "peers" / name / "groups.sqlite"
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE examples (group_id BLOB, example BLOB)")
        for group in split_of(folder, name):
            for records in group.records():
                rows = ((group.id, record) for record in records.to_pylist())
                database.executemany("INSERT INTO examples VALUES (?, ?)", rows)
        database.execute("CREATE INDEX by_group ON examples (group_id)")


def prepare_dataset_grouper(folder: Path, name: str) -> Path:
    """Shards in its layout."""
    target = folder / "peers" / name / "dataset_grouper"
    if not target.exists():
        from groupstream.exports import export

        export(split_of(folder, name), target, "dataset-grouper")
    return target
