"""What a build will read, write, take and cost, before it does anything. Every figure says how it was got."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from groupstream import PublishError
from groupstream.refs import default_root
from groupstream.stores import is_url
from partitioners import CountingPartitioner
from pipelines.dataflow_cost import DEFAULT_MACHINE, PRICES, Work, estimate_cost, machine_of
from pipelines.memory import PROCESS_BYTES
from pipelines.merge import num_shards_for
from pipelines.plan import Plan
from pipelines.run_file import Run
from pipelines.sample import Sampler
from pipelines.source_size import Amount, PieceSizes, estimate_examples, sizes_of
from pipelines.tally import Tally
from pipelines.trial import Trial, try_out
from specs.runner import Dataflow

SAMPLE_EXAMPLES = 20_000
_SAMPLE_PIECES = 4  # few, so that enough of each is read to tell how large its examples are
_STAGING_COPIES = 2  # of what is stored: runs, and the shards that are merged from them
_START_SECONDS = 5  # of Prefect and Beam
_PASS_STEPS = ("read", "check")


@dataclass(frozen=True)
class Estimate:
    """Figures by name, in the order to show; those of Dataflow apart; what does not fit.

    Attributes:
        figures: bytes, counts and seconds, as their names say.
        dataflow: what it costs there; empty where the build runs elsewhere.
        warnings: what may go wrong.
        shortage: why the build would be refused, if it would.
    """

    figures: dict[str, Amount]
    dataflow: dict[str, Amount] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    shortage: PublishError | None = None


def estimate_build(plan: Plan, prices: Mapping[str, float] = PRICES) -> Estimate:
    """Reads a sample, partitions it as a trial, and multiplies.

    Reads at most 20,000 examples or 64 MiB, of four pieces where they are large enough.

    Raises:
        SourceError, ExampleError: the source cannot be read.
    """
    sampler = Sampler(plan, SAMPLE_EXAMPLES, _SAMPLE_PIECES)
    trial = try_out(plan, sampler)
    sizes = sizes_of(plan.pieces)
    figures = _source_figures(plan, sampler, sizes, trial)
    num_examples = figures["examples"].value
    if num_examples is None or not trial.tally.examples_in:
        return Estimate(
            {**figures, **_worker_figures(plan)}, {}, ["the source is of unknown size: no more can be said"]
        )
    scale = num_examples / trial.tally.examples_in
    figures |= _output_figures(plan, trial, scale)
    figures |= _worker_figures(plan)
    figures["seconds"] = _time(plan, trial, scale)
    shortage = _shortage(figures)
    return Estimate(figures, _cost(plan, figures, trial, scale, prices), _warnings(plan, figures, trial), shortage)


def _source_figures(plan: Plan, sampler: Sampler, sizes: PieceSizes, trial: Trial) -> dict[str, Amount]:
    stored = trial.output_bytes / max(1, trial.tally.examples_in - trial.tally.num_dropped)
    counts = isinstance(plan.spec.partitioner, CountingPartitioner)
    files = f"sizes of {sizes.num_files:,} files" if sizes.num_files else "the source is not made of files"
    why = f"the partitioner ({plan.spec.partitioner.kind}) must count first" if counts else "no counts are needed"
    why += "; checksums of local files read their bytes once more" if sizes.has_local else ""
    return {
        "pieces": Amount(len(plan.pieces), "listed"),
        "source_bytes": Amount(sizes.total or None, files),
        "passes": Amount(1 + counts, why),
        "sample_examples": Amount(
            trial.tally.examples_in, f"read now, of {len(sampler.readings):,} pieces, for the figures below"
        ),
        "examples": estimate_examples(plan, sampler, sizes, stored),
    }


def _output_figures(plan: Plan, trial: Trial, scale: float) -> dict[str, Amount]:
    kept = 1 - trial.tally.num_dropped / trial.tally.examples_in
    each = trial.output_bytes / max(1, trial.tally.examples_in - trial.tally.num_dropped)
    output = round(trial.output_bytes * scale)
    how = f"{each:,.0f} bytes a stored example, in the sample"
    how += f", of which {kept:.1%} are kept" if kept < 1 else ""
    shards = sum(_num_shards(split, round(size * scale), plan) for split, size in trial.split_bytes.items())
    wanted = plan.spec.publish.shard_bytes
    staging = round(_STAGING_COPIES * output)
    where, free = _staging_room(plan)
    return {
        "output_bytes": Amount(output, how),
        "shards": Amount(shards, f"of {wanted:,} bytes (publish.shard_bytes)" if wanted else "of 256 MiB to 2 GiB"),
        "staging_bytes": Amount(staging, f"{_STAGING_COPIES} times the output: runs, and the shards merged from them"),
        "staging_free_bytes": Amount(free, where),
    }


def _num_shards(split: str, size: int, plan: Plan) -> int:
    return num_shards_for([Run(split, "", size, 0, Tally(), 0, 0)], plan.spec.publish.shard_bytes)


def _staging_room(plan: Plan) -> tuple[str, int | None]:
    """Where the staging area will be, and how many bytes are free there."""
    root = plan.spec.publish.root or default_root()
    runner = plan.spec.runner
    if runner.is_distributed:
        return f"in {root}, which has no limit", None
    wanted = runner.staging or (None if is_url(root) else root)
    if wanted is None:
        import tempfile

        wanted = tempfile.gettempdir()
    folder = Path(wanted).expanduser().absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return f"free on the disk of {folder}", shutil.disk_usage(there).free


def _worker_figures(plan: Plan) -> dict[str, Amount]:
    runner, payload = plan.spec.runner, plan.budget.payload_bytes
    sharing = runner.num_sharing_memory
    memory = f"of {sharing} processes together" if sharing > 1 else "of a process"
    each = f"{memory}: {PROCESS_BYTES >> 20} MiB each before it sorts, {payload >> 20} MiB of examples at most at once"
    number = _num_workers(plan)
    chosen = f"runner.kind {runner.kind}, " + ("runner.num_workers" if number else "as many as it sees fit")
    return {
        "workers": Amount(number, chosen),
        "memory_bytes": Amount(runner.memory_bytes, each),
    }


def _num_workers(plan: Plan) -> int | None:
    runner = plan.spec.runner
    return getattr(runner, "num_workers", None) or getattr(runner, "parallelism", None)


def _time(plan: Plan, trial: Trial, scale: float) -> Amount:
    if plan.spec.runner.is_distributed:
        return Amount(None, "the workers are other machines")
    workers, cores = _num_workers(plan) or 1, _num_cores()
    busy = min(workers, cores)
    rate = trial.tally.examples_in / trial.scaling_seconds
    how = (
        f"{rate:,.0f} examples a second and process, measured on the sample now: read, check, assign, spill, merge; "
        f"{busy} at once, and {_START_SECONDS} s to start"
    )
    return Amount(round(_core_seconds(trial, scale) / busy + _START_SECONDS, 1), how)


def _core_seconds(trial: Trial, scale: float) -> float:
    again = sum(trial.seconds.get(step, 0) for step in _PASS_STEPS) if "count" in trial.seconds else 0
    return (trial.scaling_seconds + again) * scale + trial.seconds.get("fit", 0.0)


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cost(
    plan: Plan, figures: Mapping[str, Amount], trial: Trial, scale: float, prices: Mapping[str, float]
) -> dict[str, Amount]:
    runner = plan.spec.runner
    if not isinstance(runner, Dataflow):
        return {}
    output = figures["output_bytes"].value or 0
    runs = round(output / plan.budget.payload_bytes) + len(plan.pieces)
    work = Work(
        core_seconds=_core_seconds(trial, scale),
        source_bytes=figures["source_bytes"].value or output,
        num_passes=int(figures["passes"].value or 1),
        output_bytes=output,
        num_runs=runs,
        num_shards=int(figures["shards"].value or 1),
    )
    return estimate_cost(runner, work, prices)


def _shortage(figures: Mapping[str, Amount]) -> PublishError | None:
    needed, free = figures["staging_bytes"].value or 0, figures["staging_free_bytes"].value
    if free is None or needed <= free:
        return None
    return PublishError(
        f"the staging area needs about {needed:,} bytes, {free:,} are {figures['staging_free_bytes'].how}. "
        "Make room, or choose another folder with runner.staging or publish.root"
    )


def _warnings(plan: Plan, figures: Mapping[str, Amount], trial: Trial) -> list[str]:
    found = []
    needed, free = figures["staging_bytes"].value or 0, figures["staging_free_bytes"].value
    if free is not None and needed <= free < 1.25 * needed:
        found.append("the staging area will just about fit: estimates of bytes may be wrong by a quarter")
    if isinstance(plan.spec.runner, Dataflow):
        found += _machine_warnings(plan.spec.runner)
    elif not plan.spec.runner.is_distributed:
        found += _local_warnings(plan)
    for reason, count in sorted(trial.tally.dropped.items()):
        found.append(f"{count / trial.tally.examples_in:.1%} of the sample are dropped ({reason}): look with preview")
    return found


def _local_warnings(plan: Plan) -> list[str]:
    found = []
    if (workers := _num_workers(plan) or 1) > (cores := _num_cores()):
        found.append(f"{workers} processes on {cores} cores are no faster than {cores}")
    if (memory := plan.spec.runner.memory_bytes) > (free := psutil.virtual_memory().available):
        found.append(f"runner.memory_bytes {memory:,} is more than the {free:,} bytes of memory that are free now")
    return found


def _machine_warnings(runner: Dataflow) -> list[str]:
    vcpus, memory_gb = machine_of(runner.machine_type or DEFAULT_MACHINE)
    if (wanted := vcpus * runner.memory_bytes) <= memory_gb * 1e9:
        return []
    return [
        f"{vcpus} processes of runner.memory_bytes {runner.memory_bytes:,} want {wanted:,} bytes of a machine that has "
        f"{memory_gb:g} GB; lower it, or choose a machine of type highmem"
    ]
