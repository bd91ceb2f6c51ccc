"""What a build on Dataflow will cost, with its assumptions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from groupstream import UsageError
from pipelines.source_size import Amount
from specs.runner import Dataflow

PRICES_OF = "list prices in US dollars, us-central1, January 2025, to be checked"
# Source: the price lists of Dataflow (batch workers) and of Cloud Storage (standard, one region).
PRICES: dict[str, float] = {
    "vcpu_hour": 0.056,
    "memory_gb_hour": 0.003557,
    "disk_gb_hour": 0.000054,
    "shuffle_gb": 0.011,
    "thousand_writes": 0.005,
    "thousand_reads": 0.0004,
}
SECONDS_A_CORE = 2.0  # a vCPU is one of two threads of a core: work of a second here takes it about two
DEFAULT_MACHINE = "n1-standard-1"  # of Dataflow
START_HOURS = 4 / 60  # of each worker, in which it is paid for and reads nothing
_DEFAULT_WORKERS = 4  # where the spec names no number; the cost depends little on it
_DEFAULT_DISK_GB = 25
_READ_BYTES = 8 << 20  # of one request
_DESCRIPTOR_BYTES = 2_000  # of a run: all that a shuffle carries
_MEMORY_GB_A_VCPU = {"standard": 4.0, "highmem": 8.0, "highcpu": 1.0}
_MEMORY_GB_A_VCPU_OF_N1 = {"standard": 3.75, "highmem": 6.5, "highcpu": 0.9}
_MACHINE = re.compile(r"([a-z0-9]+)-(standard|highmem|highcpu)-(\d+)")


@dataclass(frozen=True)
class Work:
    """What the workers have to do.

    Attributes:
        core_seconds: on one core of this machine.
        source_bytes: read in each pass.
        num_passes: over the source.
        output_bytes: written as runs, read, and written as shards.
        num_runs: that shards are merged from.
        num_shards: of all splits.
    """

    core_seconds: float
    source_bytes: float
    num_passes: int
    output_bytes: float
    num_runs: int
    num_shards: int


def read_prices(settings: list[str]) -> dict[str, float]:
    """The prices, some of them changed by `NAME=NUMBER`.

    Raises:
        UsageError: no such price, or no number.
    """
    prices = dict(PRICES)
    for setting in settings:
        name, _, number = setting.partition("=")
        if name not in prices:
            raise UsageError(f"--price {setting!r} names no price; they are {', '.join(prices)}")
        try:
            prices[name] = float(number)
        except ValueError as error:
            raise UsageError(f"--price {setting!r} is no number; write it such as {name}={prices[name]}") from error
    return prices


def estimate_cost(runner: Dataflow, work: Work, prices: Mapping[str, float]) -> dict[str, Amount]:
    """Amounts by their names; the last is the sum in dollars, the one before it hours from start to end."""
    vcpus, memory_gb = machine_of(runner.machine_type or DEFAULT_MACHINE)
    workers = runner.num_workers or min(runner.max_num_workers or _DEFAULT_WORKERS, _DEFAULT_WORKERS)
    worker_hours = work.core_seconds * SECONDS_A_CORE / vcpus / 3600 + workers * START_HOURS
    disk_gb = runner.disk_size_gb or _DEFAULT_DISK_GB
    writes = work.num_runs + 4 * work.num_shards
    reads = work.num_passes * work.source_bytes / _READ_BYTES + 2 * work.num_runs * work.num_shards
    shuffle_gb = work.num_runs * _DESCRIPTOR_BYTES / 1e9

    def priced(quantity: float, unit: str, why: str) -> Amount:
        return Amount(round(quantity * prices[unit], 4), f"{quantity:,.2f} at {prices[unit]:g} each: {why}")

    machine = f"{vcpus} vCPU and {memory_gb:g} GB a machine"
    found = {
        "vcpu_dollars": priced(
            worker_hours * vcpus,
            "vcpu_hour",
            f"{SECONDS_A_CORE:g} s of a vCPU for a second of a core of this machine, and {START_HOURS * 60:.0f} min "
            f"to start each of {workers} machines",
        ),
        "memory_dollars": priced(worker_hours * memory_gb, "memory_gb_hour", machine),
        "disk_dollars": priced(worker_hours * disk_gb, "disk_gb_hour", f"{disk_gb} GB a machine"),
        "shuffle_dollars": priced(shuffle_gb, "shuffle_gb", "descriptions of runs; examples are not shuffled"),
        "write_dollars": priced(writes / 1000, "thousand_writes", "runs, shards and their tables"),
        "read_dollars": priced(reads / 1000, "thousand_reads", "8 MiB of the source, or a range of a run, each"),
    }
    dollars = sum(amount.value or 0 for amount in found.values())
    hours = Amount(round(worker_hours / workers, 2), f"with {workers} machines all the time")
    return {**found, "hours": hours, "dollars": Amount(round(dollars, 2), f"{PRICES_OF}; all in one region")}


def machine_of(machine_type: str) -> tuple[int, float]:
    """VCPUs and GB of memory of a machine type.

    >>> machine_of("n2-highmem-4"), machine_of("n1-standard-1")
    ((4, 32.0), (1, 3.75))

    Raises:
        UsageError: the name does not say.
    """
    match = _MACHINE.fullmatch(machine_type)
    if match is None:
        raise UsageError(
            f"runner.machine_type {machine_type!r} does not say how large it is; what it costs can be said of types "
            "such as n2-standard-4, n2-highmem-8 or n2-highcpu-16"
        )
    family, shape, number = match.groups()
    memory = (_MEMORY_GB_A_VCPU_OF_N1 if family == "n1" else _MEMORY_GB_A_VCPU)[shape]
    return int(number), memory * int(number)
