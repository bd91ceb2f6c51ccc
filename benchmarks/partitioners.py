"""How many examples a second each partitioner gives their groups, against the natural key in the same run.

    python -m benchmarks.partitioners [--examples N]

A million examples in memory, in batches of 8,192, in one process; reading and writing are not part of it. Each
partitioner that counts first is timed over both of its passes. The fastest of three turns counts; each turn runs all
partitioners, in an order of its own.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import TypeAdapter

from benchmarks.arguments import add_results, results_folder
from benchmarks.machine import versions_line
from benchmarks.results import Case, Ratio, keep, ratio_of, result_of
from partitioners import AnyPartitioner, CountingPartitioner, ExampleIds, Partitioner, RulePartitioner

NUM_EXAMPLES = 1_000_000
BATCH_EXAMPLES = 8_192
NUM_TURNS = 3
NATURAL_KEY = "feature, 10 labels"
RESULTS = Path(__file__).parent / "results"
_LIBRARIES = ("numpy", "pyarrow", "tldextract", "scikit-learn")

Seconds = dict[str, list[float]]  # by case, of each turn

Part = tuple[pa.RecordBatch, ExampleIds]

LABELS = {"feature": "label"}
COUNTING = "counts first: "
CASES: dict[str, dict[str, Any]] = {
    NATURAL_KEY: {"kind": "feature", "feature": "label"},
    "feature, 10,000 hosts as text": {"kind": "feature", "feature": "host"},
    "feature, a million ids": {"kind": "feature", "feature": "id"},
    "composite, label and host": {"kind": "composite", "features": ["label", "host"]},
    "url_host": {"kind": "url_host", "feature": "url"},
    "url_domain": {"kind": "url_domain", "feature": "url"},
    "regex, the host of a URL": {"kind": "regex", "feature": "url", "pattern": "://([^/]+)/"},
    "time_buckets, seconds": {"kind": "time_buckets", "feature": "seconds"},
    "time_buckets, text": {"kind": "time_buckets", "feature": "time"},
    "time_buckets, a zone": {"kind": "time_buckets", "feature": "seconds", "zone": "Europe/Berlin"},
    "silos, of 10,000 hosts": {"kind": "silos", "feature": "host", "num_groups": 100},
    "mapping, a million ids": {"kind": "mapping", "feature": "id"},
    "function, of a label": {"kind": "function", "function": "benchmarks.partitioners:own", "features": ["label"]},
    "iid": {"kind": "iid", "num_groups": 100},
    "iid, by example_key": {"kind": "iid", "num_groups": 100, "example_key": "id"},
    "iid, a million groups": {"kind": "iid", "num_groups": 1_000_000},
    "sized, lognormal": {"kind": "sized", "num_groups": 100},
    "label_dirichlet, 10 labels": {"kind": "label_dirichlet", **LABELS, "num_groups": 100, "alpha": 0.3},
    "label_dirichlet, 100 labels": {"kind": "label_dirichlet", "feature": "fine", "num_groups": 100, "alpha": 0.3},
    "label_dirichlet, 10,000 groups": {"kind": "label_dirichlet", **LABELS, "num_groups": 10_000, "alpha": 0.3},
    "two_level": {"kind": "two_level", **LABELS, "num_groups": 10, "alpha": 1.0},
    "pathological": {"kind": "pathological", **LABELS, "num_groups": 100, "num_labels": 10},
    "distribution_matrix": {
        "kind": "distribution_matrix", **LABELS, "shares": {label: [0.25] * 4 for label in range(10)},
    },
    COUNTING + "fixed_sizes": {"kind": "fixed_sizes", "num_groups": 100},
    COUNTING + "dirichlet_fixed_sizes": {"kind": "dirichlet_fixed_sizes", **LABELS, "num_groups": 100, "alpha": 0.3},
    COUNTING + "shards": {"kind": "shards", **LABELS, "num_groups": 100, "shards_per_group": 2},
    COUNTING + "continuous": {"kind": "continuous", "feature": "number", "num_groups": 100, "strictness": 0.5},
    COUNTING + "clusters, 16 numbers": {"kind": "clusters", "feature": "embedding", "num_clusters": 20},
    COUNTING + "equal_silos, of 10,000 hosts": {"kind": "equal_silos", "feature": "host", "ids_per_silo": 100},
}  # fmt: skip


def own(example: dict[str, Any]) -> str:
    """A function of one example."""
    return f"label {example['label']}"


def make_examples(num_examples: int = NUM_EXAMPLES) -> pa.Table:
    """Examples with labels, hosts in Zipf-like shares, URLs that are all different, times and ids."""
    generator = np.random.default_rng(0)
    hosts = np.minimum(generator.zipf(1.3, num_examples), 10_000)
    seconds = generator.integers(1_200_000_000, 1_400_000_000, num_examples)
    names = [f"www.site-{host}.example.com" for host in hosts.tolist()]
    return pa.table(
        {
            "label": generator.integers(0, 10, num_examples),
            "fine": generator.integers(0, 100, num_examples),
            "host": names,
            "url": [f"https://{name}/articles/{i}.html" for i, name in enumerate(names)],
            "seconds": seconds,
            "time": [f"{text}Z" for text in np.datetime_as_string(seconds.astype("datetime64[s]")).tolist()],
            "number": generator.normal(size=num_examples).astype(np.float32),
            "embedding": pa.FixedSizeListArray.from_arrays(
                generator.normal(size=num_examples * 16).astype(np.float32), 16
            ),
            "id": [f"example {i:09}" for i in range(num_examples)],
        }
    )


def parts_of(examples: pa.Table) -> list[Part]:
    """The examples in batches, with their names."""
    batches = examples.combine_chunks().to_batches(max_chunksize=BATCH_EXAMPLES)
    starts = np.cumsum([0, *(len(batch) for batch in batches[:-1])])
    return [
        (batch, ExampleIds(0, np.arange(start, start + len(batch)), int(start)))
        for batch, start in zip(batches, starts, strict=True)
    ]


def run(partitioner: Partitioner, parts: list[Part]) -> float:
    """Seconds until every example has its group."""
    start = time.perf_counter()
    if isinstance(partitioner, CountingPartitioner):
        rule: Any = partitioner.fit(partitioner.merge(partitioner.count(*part) for part in parts))
    else:
        assert isinstance(partitioner, RulePartitioner)
        rule = partitioner
    for part in parts:
        rule.assign(*part)
    return time.perf_counter() - start


def measure(parts: list[Part], folder: Path, num_turns: int = NUM_TURNS) -> Seconds:
    """Seconds of each case in each turn."""
    mapping = folder / "mapping.csv"
    ids = [name for batch, _ in parts for name in batch["id"].to_pylist()]
    mapping.write_text("group_id,example_id\n" + "".join(f"{i % 1_000},{name}\n" for i, name in enumerate(ids)))
    adapter: TypeAdapter[Partitioner] = TypeAdapter(AnyPartitioner)
    fields = {**CASES, "mapping, a million ids": {**CASES["mapping, a million ids"], "file": str(mapping)}}
    partitioners = {name: adapter.validate_python(case) for name, case in fields.items()}
    seconds: Seconds = {name: [] for name in partitioners}
    for turn in range(num_turns):
        for name in random.Random(turn).sample(sorted(partitioners), len(partitioners)):
            seconds[name].append(run(partitioners[name], parts))
    return seconds


def ratios_of(seconds: Seconds) -> list[Ratio]:
    """Of each partitioner to the natural key in the same turn."""
    natural = seconds[NATURAL_KEY]
    return [ratio_of(name, NATURAL_KEY, taken, natural) for name, taken in seconds.items() if name != NATURAL_KEY]


def table_of(seconds: Seconds, num_examples: int) -> str:
    """A table in Markdown, of the fastest turns."""
    natural = min(seconds[NATURAL_KEY])
    lines = ["| partitioner | examples/s | time, in times that of the natural key |", "|---|---:|---:|"]
    lines += [
        f"| {name} | {num_examples / min(taken) / 1e6:.2f} M | {min(taken) / natural:.1f} |"
        for name, taken in seconds.items()
    ]
    return "\n".join(lines)


def main() -> None:
    """Measures, prints and keeps the table."""
    import os

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=NUM_EXAMPLES)
    parser.add_argument("--turns", type=int, default=NUM_TURNS)
    add_results(parser)
    given = parser.parse_args()
    os.environ["GROUPSTREAM_ALLOWED_PACKAGES"] = "benchmarks"
    with tempfile.TemporaryDirectory() as folder:
        seconds = measure(parts_of(make_examples(given.examples)), Path(folder), given.turns)
    cases = [Case(case=name, values=tuple(taken)) for name, taken in seconds.items()]
    result = result_of("partitioners", __doc__, _LIBRARIES, cases, ratios_of(seconds))
    lines = [f"# partitioners\n\n{result.about}\n\n{versions_line(_LIBRARIES)}\n"]
    lines.append(table_of(seconds, given.examples))
    keep(result, lines, results_folder(given, RESULTS, is_whole=given.examples == NUM_EXAMPLES))


if __name__ == "__main__":
    main()
