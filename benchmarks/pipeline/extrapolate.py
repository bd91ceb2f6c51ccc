"""Writes the figures of `docs/fedc4.md` from measured rates: `python -m benchmarks.pipeline.extrapolate [--measure]`.

Takes `results/fedc4_rates.json`; `--measure` runs `rates` first. What stands between the two marks of the page
is replaced.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.pipeline.fedc4 import STAGES_OF_SOURCE, Build, Cluster, Prices, Workload
from benchmarks.pipeline.rates import Rates, load, measure_and_keep
from pipelines.memory import share_memory

PAGE = Path(__file__).parents[2] / "docs" / "fedc4.md"
BEGIN, END = "<!-- begin: python -m benchmarks.pipeline.extrapolate -->", "<!-- end -->"
SOURCES = {"jsonl": "JSON lines in gzip", "tfds": "TFDS"}


def figures(rates: Rates) -> str:
    """The part of the page that is computed."""
    builds = {source: Build(Workload(), rates, source) for source in STAGES_OF_SOURCE}
    parts = [_rates(rates), _sizes(builds["jsonl"]), _times(builds), _money(builds), _limits(builds["jsonl"])]
    return "\n\n".join(parts)


def rewritten(page: str, computed: str) -> str:
    """The page with other figures."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} lacks the line {BEGIN!r} or {END!r}; put both back around the figures")
    return f"{before}{BEGIN}\n\n{computed}\n\n{END}{after}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _rates(rates: Rates) -> str:
    rows = [
        [f"`{stage}`", f"{speed / 1e6:,.0f}", f"{speed / rates.example_bytes:,.0f}"]
        for stage, speed in rates.bytes_per_second.items()
    ]
    table = _table(["stage", "MB/s of payload", "examples/s"], rows)
    return f"### What one core does\n\nMeasured. {rates.machine}\n\n{table}"


def _sizes(build: Build) -> str:
    work, rates = build.workload, build.rates
    shard = _gb(build.stored_bytes / build.num_shards, 2)
    side_input = f"{build.num_runs * rates.run_bytes / 1e6:.2f} MB"
    rows = [
        ["examples", f"{work.num_examples:,}", "the source"],
        ["groups", f"{work.num_groups:,}", "the paper"],
        ["pieces", f"{work.num_pieces:,}", "files of the source"],
        ["payload", _gb(build.payload_bytes), f"examples x {rates.example_bytes:,.0f} B"],
        ["shards, together", _gb(build.stored_bytes), f"examples x {rates.stored_bytes:,.0f} B, with group ids"],
        ["runs", f"{build.num_runs:,}", "pieces x max(1, payload of a piece / memory of a run)"],
        ["shards", f"{build.num_shards:,}", f"the pipeline chooses; {shard} each"],
        ["segments of all runs", _millions(build.num_segments), "runs x groups that a run meets"],
        ["indexes of all runs", _gb(build.index_bytes), f"segments x {rates.segment_bytes:.0f} B"],
        ["staging, at most", _gb(build.staging_bytes), "2 x shards + indexes"],
        ["group table", _gb(work.num_groups * rates.group_row_bytes, 2), f"groups x {rates.group_row_bytes:.0f} B"],
        ["descriptions of runs, a side input", side_input, f"runs x {rates.run_bytes:.0f} B"],
        ["reads of indexes", _millions(build.index_reads), "2 x runs x shards"],
        ["reads of records", _millions(build.range_reads), f"runs x shards x {build.chunks_a_shard} chunks a shard"],
        ["writes", f"{build.num_writes:,}", "runs + 5 x shards"],
    ]  # fmt: skip
    return f"### Sizes\n\n{_table(['what', 'FedC4', 'formula'], rows)}"


def _times(builds: dict[str, Build]) -> str:
    cluster = Cluster()
    rows: dict[str, Callable[[Build], str]] = {
        "cores x hours: read to spill": lambda b: f"{b.spill_cpu_seconds / 3600:.2f}",
        "cores x hours: merge": lambda b: f"{b.cpu_seconds(['merge']) / 3600:.2f}",
        "minutes: start and stop": lambda b: _minutes(b.cluster.start_seconds),
        "minutes: read, check, assign, encode, spill": lambda b: _minutes(b.spill_seconds),
        "minutes: merge": lambda b: _minutes(b.merge_seconds),
        "... of which it waits for reads to begin": lambda b: _minutes(b.waiting_seconds / b.cluster.num_vcpus),
        "**minutes, all**": lambda b: f"**{_minutes(b.total_seconds)}**",
    }
    about = (
        f"{cluster.num_vcpus} vCPUs in machines of {cluster.vcpus_a_machine} with {cluster.machine_memory_gb:.0f} GB; "
        f"one worker process a vCPU, one thread each, with {cluster.process_memory_bytes / 1e9:.0f} GB. Assumed of the "
        f"bucket: {cluster.bucket_bytes_per_second / 1e6:.0f} MB/s for each process, "
        f"{cluster.request_seconds * 1000:.0f} ms until a read begins to answer, {cluster.connections} reads of "
        "records at once. Nothing overlaps within a process."
    )
    return f"### Time\n\n{about}\n\n{_by_source(builds, rows)}"


def _money(builds: dict[str, Build]) -> str:
    rows: dict[str, Callable[[Build], str]] = {
        "workers": lambda b: f"${b.worker_dollars:.2f}",
        "reads and writes of the bucket": lambda b: f"${b.request_dollars:.2f}",
        "**the build**": lambda b: f"**${b.worker_dollars + b.request_dollars:.2f}**",
        "the version in the bucket, each month": lambda b: f"${b.month_dollars:.2f}",
    }
    prices = Prices()
    about = (
        f"{' '.join((Prices.__doc__ or '').split())} An hour: ${prices.vcpu_hour} a vCPU, ${prices.memory_gb_hour} "
        f"a GB of memory, ${prices.disk_gb_hour:.6f} a GB of disk. ${prices.million_reads:.2f} a million reads, "
        f"${prices.million_writes:.2f} a million writes; ${prices.stored_gb_month:.3f} a GB and month."
    )
    return f"### Money\n\n{about}\n\n{_by_source(builds, rows)}"


def _by_source(builds: dict[str, Build], rows: dict[str, Callable[[Build], str]]) -> str:
    head = ["what", *(SOURCES[source] for source in builds)]
    return _table(head, [[what, *map(value, builds.values())] for what, value in rows.items()])


def _limits(build: Build) -> str:
    cluster = build.cluster
    rows: list[tuple[str, Callable[[Build], str], str]] = [
        ("share of the time that merges wait", _waiting, "grows with runs x shards, the square of the size"),
        ("reads of the bucket, and their price", _reads, "the same"),
        ("rows of indexes in a merge", lambda b: _millions(b.merge_segments), f"{_room(cluster)} in its memory"),
        ("largest group that the spec allows", _largest, f"a worker's disk, here {cluster.machine_disk_gb:.0f} GB"),
        ("... minutes to merge it, by one worker", lambda b: _minutes(b.hottest_seconds), "when the others have ended"),
        ("group table in memory, where it was started", lambda b: _gb(b.driver_bytes, 1), "a third of its memory"),
        ("lists of pieces, in the staging area", _pieces, "nothing: they are not in the job graph"),
        ("descriptions of runs, in each worker", _side_input, "hundreds of MB"),
    ]  # fmt: skip
    sizes = [build, Build(build.workload.times(10), build.rates, build.source)]
    table = [[what, *map(value, sizes), limit] for what, value, limit in rows]
    return f"### Limits\n\n{_table(['what', 'FedC4', 'ten times FedC4', 'ends at'], table)}"


def _waiting(build: Build) -> str:
    return f"{build.waiting_seconds / build.cluster.num_vcpus / build.total_seconds:.0%}"


def _reads(build: Build) -> str:
    return f"{_millions(build.index_reads + build.range_reads)}, ${build.request_dollars:,.0f}"


def _room(cluster: Cluster) -> str:
    return _millions(share_memory(cluster.process_memory_bytes, 1).segments)


def _largest(build: Build) -> str:
    return _gb(build.workload.largest_share * build.stored_bytes)


def _pieces(build: Build) -> str:
    return f"{build.workload.num_pieces * build.rates.piece_bytes / 1e6:.2f} MB"


def _side_input(build: Build) -> str:
    return f"{build.num_runs * build.rates.run_bytes / 1e6:.1f} MB"


def _gb(size: float, digits: int = 0) -> str:
    return f"{size / 1e9:,.{digits}f} GB"


def _millions(count: float) -> str:
    return f"{count / 1e6:,.1f} M"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f}" if seconds >= 600 else f"{seconds / 60:.1f}"


def main() -> None:
    """Writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true", help="measure the rates first: half a minute")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "groupstream-bench")
    given = parser.parse_args()
    rates = measure_and_keep(given.folder) if given.measure else load()
    computed = figures(rates)
    PAGE.write_text(rewritten(PAGE.read_text(), computed))
    print(computed)


if __name__ == "__main__":
    main()
