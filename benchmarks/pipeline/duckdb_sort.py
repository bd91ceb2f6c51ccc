"""What one would write instead: `python -m benchmarks.pipeline.duckdb_sort SOURCE TARGET TEMPORARY`.

Reads Parquet files, orders the examples by their group and writes one Parquet file: a group is adjacent, and its range
can be found by the statistics of the row groups. No TFRecords, no index of groups, no statistics of them. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import duckdb
import pyarrow.compute as pc
import pyarrow.parquet as pq

MEMORY = "2GB"  # 2e9 bytes; of what it knows of: its peak is some more
THREADS = 2


def sort(source: str, target: Path, temporary: Path, key: str = "key") -> dict[str, float]:
    """Sorts and measures."""
    connection = duckdb.connect(config={"memory_limit": MEMORY, "threads": THREADS, "temp_directory": str(temporary)})
    start = time.perf_counter()
    connection.execute(f"COPY (SELECT * FROM read_parquet('{source}') ORDER BY {key}) TO '{target}' (FORMAT parquet)")
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "bytes": target.stat().st_size}


def num_sorted(target: Path, key: str = "key") -> int:
    """How many examples a file has, whose keys are in order."""
    last, count = None, 0
    for batch in pq.ParquetFile(target).iter_batches(columns=[key]):
        keys = batch.column(0)
        assert last is None or last <= keys[0].as_py()
        assert pc.all(pc.less_equal(keys[:-1], keys[1:])).as_py() is not False
        last, count = keys[-1].as_py(), count + len(keys)
    return count


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("target", type=Path)
    parser.add_argument("temporary", type=Path)
    given = parser.parse_args()
    given.temporary.mkdir(parents=True, exist_ok=True)
    print(json.dumps(sort(given.source, given.target, given.temporary)))
