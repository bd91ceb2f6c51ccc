"""Why a target is missed, and what was tried: what the page says beside it. Shares are of samples of py-spy."""

from __future__ import annotations

_A_DATASET_A_GROUP = (
    "TensorFlow makes a dataset, a batch of it and an iterator for each group: nine tenths of the loop are in its "
    "functions. Groups as tensors, or batches of groups, need none of these for a group and take 1/50"
)
_ONE_INTERPRETER = (
    "20 KB cost about 1 ms in Google's library, and threads share one interpreter: Google's own threads are as fast as "
    "ours, its 8 processes use the second core as well. Shards are 64 MiB and more; a version has a few small files"
)

WHY: dict[tuple[str, str], str] = {
    ("reader.iterate", "to_tf_readme / dg_groups, time"): _A_DATASET_A_GROUP,
    ("reader.iterate", "to_tf_nested / dg_groups, time"): _A_DATASET_A_GROUP,
    ("pipeline.sort_peers", "groupstream, zipf-1.5gb / duckdb, zipf-1.5gb, time"): (
        "DuckDB keeps 1.5 GB in its memory and writes once; a build always spills and merges, which is twice the bytes "
        "of disk and half the memory. Where DuckDB must spill too, at 5 GB, the build is faster"
    ),
    ("publish.throughput", "groupstream: publish, small files / the fastest, speed"): (
        f"{_ONE_INTERPRETER}. 98 % of a thread that uploads is in the library"
    ),
    ("publish.throughput", "groupstream: pull, small files / the fastest, speed"): (
        f"{_ONE_INTERPRETER}. 60 % of a thread that downloads is in the library, the rest in a part file, with which a "
        "pull that was cut goes on, and in its digest"
    ),
    ("checks.files", "check of 16 MiB, one text a group / pipeline, time"): (
        "The index has a row for each group, and is always read whole: 80 % of the check, in Arrow and NumPy, block by "
        "block. A sample of the index would not find a group that stands twice"
    ),
}
