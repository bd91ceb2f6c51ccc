"""What one core does of each stage, on web pages as in C4: `python -m benchmarks.pipeline.rates [FOLDER]`.

The plain functions, one after the other, with the threads of Arrow turned off: no Beam, no other process. The pages are
made up: about 2.4 KB of text, URL and time, from sites whose sizes are log-normal as in FedC4. They lie there as C4 is
published, as lines of JSON in gzip, and as a TFDS dataset. Rates are of payload, the bytes of the serialised examples;
the median of some turns, after one that does not count. Uploads are not in them. Keeps `results/fedc4_rates.json` for
`extrapolate` too.
"""

from __future__ import annotations

import json
import pickle
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.arguments import parser_of
from benchmarks.pipeline.pages import write_jsonl, write_tfds
from benchmarks.pipeline.report import LIBRARIES, RESULTS, machine
from benchmarks.results import Case, keep, result_of
from groupstream.examples.encoding import encode_examples
from groupstream.group_table import write_group_table
from pipelines.batches import Batch, assign_groups, check_examples, read_batches
from pipelines.counting import rule_of
from pipelines.memory import share_memory
from pipelines.merge import MergedShard, merge_shard
from pipelines.plan import Plan, make_plan
from pipelines.run_file import Run, index_blocks
from pipelines.runs import RunWriter, Shape
from pipelines.staging import StagingArea, staging_area
from specs import Spec

PAGES = 80_000
RUNS = 6
SHARDS = 2
TURNS = 3
STAGES = ("read_jsonl_gz", "read_tfds", "check", "assign", "encode", "spill", "merge")

_FILE = "fedc4_rates.json"

T = TypeVar("T")


@dataclass(frozen=True)
class Rates:
    """What was measured.

    Attributes:
        example_bytes: of a serialised example, on average.
        stored_bytes: of an example in a shard, with its frame and its group id.
        source_bytes: of an example in the compressed lines of JSON.
        segment_bytes: of the index of a run, for each segment.
        group_row_bytes: of the group table, for each group.
        group_row_memory_bytes: the same in memory.
        run_bytes: of the description of a run, as Beam passes it on.
        piece_bytes: of the description of a piece.
        bytes_per_second: of payload, by stage.
    """

    machine: str
    example_bytes: float
    stored_bytes: float
    source_bytes: float
    segment_bytes: float
    group_row_bytes: float
    group_row_memory_bytes: float
    run_bytes: float
    piece_bytes: float
    bytes_per_second: dict[str, float]


def spec_for(source: dict[str, Any]) -> Spec:
    """A spec as that of FedC4."""
    fields = {
        "name": "pages",
        "source": source,
        "partitioner": {"kind": "url_domain", "feature": "url"},
        "text_features": ["text"],
        "checks": {"examples": {"text": {"min_length": 1}}},
    }
    return Spec.model_validate(fields, extra="forbid")


def measure(folder: Path, num_pages: int = PAGES, turns: int = TURNS) -> Rates:
    """Makes the pages below a folder, times every stage, removes the pages."""
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    sources = folder / "pages"
    sources.mkdir(parents=True)
    try:
        lines = make_plan(spec_for(write_jsonl(sources / "jsonl", num_pages)))
        records = make_plan(spec_for(write_tfds(sources / "tfds", num_pages)))
        with staging_area(folder) as staging:
            return _measure_all(lines, records, staging, turns)
    finally:
        shutil.rmtree(sources)


def _measure_all(lines: Plan, records: Plan, staging: StagingArea, turns: int) -> Rates:
    took: dict[str, float] = {}

    def timed(stage: str, work: Callable[[], T]) -> T:
        print(stage, file=sys.stderr)
        seconds, result = [], work()
        for _ in range(turns):
            start = time.perf_counter()
            result = work()
            seconds.append(time.perf_counter() - start)
        took[stage] = median(seconds)
        return result

    checks, partitioner = lines.spec.checks.examples, lines.spec.partitioner
    rule = rule_of(partitioner)
    timed("read_tfds", lambda: read(records))
    batches = timed("read_jsonl_gz", lambda: read(lines))
    batches = timed("check", lambda: [check_examples(checks, batch) for batch in batches])
    batches = timed("assign", lambda: [assign_groups(partitioner, rule, batch) for batch in batches])
    encoded = timed("encode", lambda: [encode_examples(batch.columns, lines.features) for batch in batches])
    batches = [replace(batch, records=records) for batch, records in zip(batches, encoded, strict=True)]
    payload = sum(batch.nbytes for batch in encoded)
    runs = timed("spill", lambda: spill(lines, batches, staging, payload // RUNS))
    shards = timed("merge", lambda: merge(lines, runs, staging))
    rates = {stage: payload / took[stage] for stage in STAGES}
    return _described(lines, staging, runs, shards, payload, rates)


def read(plan: Plan) -> list[Batch]:
    """All batches of a source."""
    return [b for piece in plan.pieces for b in read_batches(plan.spec.source, plan.features, plan.needed, piece)]


def spill(plan: Plan, batches: list[Batch], staging: StagingArea, payload_bytes: int) -> list[Run]:
    """The runs of all batches."""
    staging.remove("runs")
    shape = Shape(plan.features, plan.text_features, plan.split_names, plan.label_feature, plan.spec.seed)
    writer = RunWriter(staging, shape, payload_bytes)
    return [*(run for batch in batches for run in writer.add(batch)), *writer.flush()]


def merge(plan: Plan, runs: list[Run], staging: StagingArea) -> list[MergedShard]:
    """All shards of the runs."""
    budget = share_memory(plan.spec.runner.memory_bytes, 1)
    [split] = plan.split_names
    return [merge_shard(staging, runs, split, index, SHARDS, budget) for index in range(SHARDS)]


def _described(
    plan: Plan, staging: StagingArea, runs: list[Run], shards: list[MergedShard], payload: int, rates: dict[str, float]
) -> Rates:
    num_examples = sum(shard.num_examples for shard in shards)
    num_groups = sum(shard.num_groups for shard in shards)
    table = pa.concat_tables(pq.read_table(staging.local_path(shard.group_table_path)) for shard in shards)
    table_file = staging.scratch / "groups.parquet"
    write_group_table(table_file, [table])
    return Rates(
        machine=machine(),
        example_bytes=payload / num_examples,
        stored_bytes=sum(shard.size_bytes for shard in shards) / num_examples,
        source_bytes=plan.source["num_bytes"] / num_examples,
        segment_bytes=sum(run.directory_offset - run.size_bytes for run in runs) / _num_segments(plan, runs, staging),
        group_row_bytes=table_file.stat().st_size / num_groups,
        group_row_memory_bytes=table.nbytes / num_groups,
        run_bytes=len(pickle.dumps(runs)) / len(runs),
        piece_bytes=len(pickle.dumps(plan.pieces)) / len(plan.pieces),
        bytes_per_second=rates,
    )


def _num_segments(plan: Plan, runs: list[Run], staging: StagingArea) -> int:
    return sum(len(block) for run in runs for block in index_blocks(staging, run, 0, None, 64))


def load() -> Rates:
    """What was measured last."""
    return Rates(**json.loads((RESULTS / _FILE).read_text()))


def main() -> None:
    """Measures, prints and keeps."""
    given = parser_of(__doc__).parse_args()
    measure_and_keep(given.folder, given.results or RESULTS)


def measure_and_keep(folder: Path, results: Path = RESULTS) -> Rates:
    """Measures in a folder, prints and keeps."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        rates = measure(Path(place))
    lines = [f"# rates\n\n{(__doc__ or '').strip()}\n\n{rates.machine}\n"]
    lines += ["| stage | MB/s | examples/s |", "|---|---|---|"]
    for stage, speed in rates.bytes_per_second.items():
        lines.append(f"| {stage} | {speed / 1e6:,.0f} | {speed / rates.example_bytes:,.0f} |")
    cases = [
        Case(case=stage, figure="speed", unit="MB/s", values=(speed / 1e6,), better="higher")
        for stage, speed in rates.bytes_per_second.items()
    ]
    keep(result_of("pipeline.rates", __doc__, LIBRARIES, cases), lines, results)
    (results / _FILE).write_text(json.dumps(asdict(rates), indent=1) + "\n")
    return rates


if __name__ == "__main__":
    main()
