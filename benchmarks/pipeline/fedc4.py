"""How large FedC4 is, what the machines cost, and what a build of it comes to: formulas only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from benchmarks.pipeline.pages import MEDIAN_PAGES, SIGMA
from benchmarks.pipeline.rates import Rates
from pipelines.memory import share_memory
from pipelines.merge import num_shards_for
from pipelines.run_file import BLOCK_SEGMENTS, Run
from pipelines.tally import Tally

STAGES_OF_SOURCE = {
    "jsonl": ("read_jsonl_gz", "check", "assign", "encode", "spill"),
    "tfds": ("read_tfds", "check", "assign", "spill"),
}


@dataclass(frozen=True)
class Workload:
    """A dataset.

    Attributes:
        num_pieces: files of the source.
        largest_share: of all bytes, that the largest group may have.
    """

    num_examples: int = 364_868_892
    num_groups: int = 15_600_000
    num_pieces: int = 1_024
    largest_share: float = 0.05

    def times(self, factor: int) -> Workload:
        """More of the same: more examples, groups and files."""
        return Workload(
            self.num_examples * factor, self.num_groups * factor, self.num_pieces * factor, self.largest_share
        )


@dataclass(frozen=True)
class Cluster:
    """Workers of Dataflow, and what their bucket does for them.

    Attributes:
        process_memory_bytes: that is left to each worker process, one for each vCPU.
        bucket_bytes_per_second: that one process reads, or writes.
        request_seconds: until a range read begins to answer.
        connections: range reads at once, in a merge.
        start_seconds: until the workers work, and again until the job has ended.
    """

    num_vcpus: int = 100
    vcpus_a_machine: int = 2
    machine_memory_gb: float = 8.0
    machine_disk_gb: float = 100.0
    process_memory_bytes: int = 3_000_000_000
    bucket_bytes_per_second: float = 100e6
    request_seconds: float = 0.05
    connections: int = 16
    start_seconds: float = 300.0


@dataclass(frozen=True)
class Prices:
    """List prices in US dollars of us-central1, for batch, as written down in November 2026; to be checked."""

    vcpu_hour: float = 0.056
    memory_gb_hour: float = 0.003557
    disk_gb_hour: float = 0.000054
    million_reads: float = 0.40  # class B operations
    million_writes: float = 5.00  # class A operations
    stored_gb_month: float = 0.020


def distinct_groups(num_drawn: float, workload: Workload) -> float:
    """How many groups so many examples are of, drawn from all without an order: the sum of 1 - (1 - p)^n.

    The sizes are log-normal with the median and the spread of `pages`, scaled so that they add up.
    """
    quantiles = (np.arange(100_000) + 0.5) / 100_000
    sizes = np.exp(np.log(MEDIAN_PAGES) + SIGMA * _normal_quantiles(quantiles))
    shares = sizes / sizes.mean() / workload.num_groups
    return float(np.mean(-np.expm1(-shares * num_drawn)) * workload.num_groups)


def _normal_quantiles(quantiles: np.ndarray) -> np.ndarray:
    return np.array([NormalDist().inv_cdf(q) for q in quantiles.tolist()])


@dataclass(frozen=True)
class Build:
    """What a build of a workload comes to, for a source of STAGES_OF_SOURCE."""

    workload: Workload
    rates: Rates
    source: str = "jsonl"
    cluster: Cluster = Cluster()
    prices: Prices = Prices()

    # Sizes.

    @property
    def source_bytes(self) -> float:
        """What is read."""
        each = self.rates.source_bytes if self.source == "jsonl" else self.rates.example_bytes + 16
        return self.workload.num_examples * each

    @property
    def payload_bytes(self) -> float:
        """Serialised examples."""
        return self.workload.num_examples * self.rates.example_bytes

    @property
    def stored_bytes(self) -> float:
        """Of all shards; and of the records of all runs."""
        return self.workload.num_examples * self.rates.stored_bytes

    @property
    def num_runs(self) -> int:
        """A run ends when the memory of its worker is full, or its bundle ends: one piece, at the least."""
        per_piece = self.payload_bytes / self.workload.num_pieces
        room = share_memory(self.cluster.process_memory_bytes, 1).payload_bytes
        return self.workload.num_pieces * max(1, math.ceil(per_piece / room))

    @property
    def num_shards(self) -> int:
        """As the pipeline chooses it."""
        return num_shards_for([Run("train", "", round(self.stored_bytes), 0, Tally())], None)

    @property
    def num_segments(self) -> float:
        """Of all runs: each run has one for every group that it has examples of."""
        return self.num_runs * distinct_groups(self.workload.num_examples / self.num_runs, self.workload)

    @property
    def index_bytes(self) -> float:
        """Of all runs."""
        return self.num_segments * self.rates.segment_bytes

    @property
    def staging_bytes(self) -> float:
        """Runs and shards, at the end of the merge."""
        return 2 * self.stored_bytes + self.index_bytes

    # Requests.

    @property
    def chunks_a_shard(self) -> int:
        """Ranges of hashes that a shard is copied in."""
        chunk = share_memory(self.cluster.process_memory_bytes, 1).chunk_bytes
        return math.ceil(self.stored_bytes / self.num_shards / chunk)

    @property
    def index_reads(self) -> int:
        """For each shard, of each run, the directory and then the blocks of the index."""
        return 2 * self.num_runs * self.num_shards

    @property
    def range_reads(self) -> int:
        """For each chunk of each shard, one range of each run."""
        return self.num_runs * self.num_shards * self.chunks_a_shard

    @property
    def index_read_bytes(self) -> float:
        """Whole blocks are read, and of the first and the last only a part is of the shard."""
        per_pair = self.num_segments / (self.num_runs * self.num_shards)
        blocks = per_pair / BLOCK_SEGMENTS + 1
        rows = min(blocks * BLOCK_SEGMENTS, self.num_segments / self.num_runs)
        return self.num_runs * self.num_shards * rows * self.rates.segment_bytes

    @property
    def num_writes(self) -> int:
        """Runs; of each shard the file, two tables and a description; copies of the shards when they are published."""
        return self.num_runs + 5 * self.num_shards

    # Time, in seconds.

    def cpu_seconds(self, stages: Sequence[str]) -> float:
        """Of all cores together."""
        return sum(self.payload_bytes / self.rates.bytes_per_second[stage] for stage in stages)

    @property
    def spill_cpu_seconds(self) -> float:
        """Everything before the merge."""
        return self.cpu_seconds(STAGES_OF_SOURCE[self.source])

    @property
    def spill_seconds(self) -> float:
        """From the first piece to the last run, with reading from and writing to the bucket."""
        moved = (self.source_bytes + self.stored_bytes + self.index_bytes) / self.cluster.bucket_bytes_per_second
        return self._spread(self.spill_cpu_seconds + moved, self.workload.num_pieces)

    @property
    def waiting_seconds(self) -> float:
        """Of all merges together, for range reads to begin to answer."""
        return (self.index_reads + self.range_reads) / self.cluster.connections * self.cluster.request_seconds

    @property
    def merge_seconds(self) -> float:
        """From the first shard to the last."""
        moved = (2 * self.stored_bytes + self.index_read_bytes) / self.cluster.bucket_bytes_per_second
        return self._spread(self.cpu_seconds(["merge"]) + moved + self.waiting_seconds, self.num_shards)

    def _spread(self, seconds: float, num_parts: int) -> float:
        """Over all vCPUs; the last ones wait for whoever has one part more."""
        rounds = math.ceil(num_parts / self.cluster.num_vcpus)
        return seconds / num_parts * rounds

    @property
    def total_seconds(self) -> float:
        """Of the job."""
        return self.cluster.start_seconds + self.spill_seconds + self.merge_seconds

    @property
    def hottest_seconds(self) -> float:
        """Merging the largest group that the spec allows, by one worker."""
        size = self.workload.largest_share * self.stored_bytes
        return size / self.rates.bytes_per_second["merge"] + 2 * size / self.cluster.bucket_bytes_per_second

    # Money, in dollars.

    @property
    def worker_dollars(self) -> float:
        """vCPUs, memory and disks of the workers."""
        cluster, prices = self.cluster, self.prices
        machine = (
            cluster.vcpus_a_machine * prices.vcpu_hour
            + cluster.machine_memory_gb * prices.memory_gb_hour
            + cluster.machine_disk_gb * prices.disk_gb_hour
        )
        return machine * cluster.num_vcpus / cluster.vcpus_a_machine * self.total_seconds / 3600

    @property
    def request_dollars(self) -> float:
        """Reads and writes of the bucket."""
        reads = self.index_reads + self.range_reads
        return (reads * self.prices.million_reads + self.num_writes * self.prices.million_writes) / 1e6

    @property
    def month_dollars(self) -> float:
        """The finished version in the bucket, each month."""
        return self.stored_bytes / 1e9 * self.prices.stored_gb_month

    # Memory.

    @property
    def merge_segments(self) -> float:
        """Rows of indexes that a merge must hold: a block of each run, if a shard has that much of it."""
        per_pair = self.num_segments / (self.num_runs * self.num_shards)
        return self.num_runs * min(per_pair, BLOCK_SEGMENTS)

    @property
    def driver_bytes(self) -> float:
        """The group table, which the machine that started the build reads for its statistics and its card."""
        return self.workload.num_groups * self.rates.group_row_memory_bytes
