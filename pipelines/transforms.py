"""The steps of a build as Beam transforms. They wire plain functions and do nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from pipelines.batches import Batch, assign_groups, check_examples, read_batches
from pipelines.counting import rule_of
from pipelines.merge import merge_shard, num_shards_for
from pipelines.plan import Plan
from pipelines.progress import ProgressWriter
from pipelines.results import write_merged_shard, write_tally
from pipelines.runs import Run, RunWriter
from pipelines.staging import StagingArea
from pipelines.tally import total
from sources import Piece


class PartitionExamples(beam.PTransform):
    """Pieces of a source to finished shards; what they hold is written to the staging area."""

    def __init__(self, plan: Plan, staging: StagingArea) -> None:
        super().__init__()
        self._plan = plan
        self._staging = staging

    def expand(self, pieces: beam.PCollection) -> beam.PCollection:
        """See the class."""
        plan, staging = self._plan, self._staging
        runs = (
            pieces
            | "Spread pieces" >> beam.Reshuffle()
            | "Read pieces" >> beam.ParDo(ReadPieces(plan, staging))
            | "Check examples" >> beam.Map(partial(check_examples, plan.spec.checks.examples))
            | "Assign groups" >> beam.Map(partial(assign_groups, plan.spec.partitioner, rule_of(plan.spec.partitioner)))
            | "Spill runs" >> beam.ParDo(SpillRuns(plan, staging))
        )
        every_run = beam.pvalue.AsList(runs)
        start = pieces.pipeline | "Start merging" >> beam.Create([None])
        _ = start | "Count" >> beam.Map(_count, staging, every_run)
        return (
            start
            | "Choose shards" >> beam.FlatMap(_choose_shards, plan.spec.publish.shard_bytes, every_run)
            | "Spread shards" >> beam.Reshuffle()
            | "Merge runs" >> beam.ParDo(MergeRuns(staging), every_run)
        )


class ReadPieces(beam.DoFn):
    """Piece -> its batches."""

    def __init__(self, plan: Plan, staging: StagingArea) -> None:
        self._plan = plan
        self._staging = staging

    def setup(self) -> None:
        """See `beam.DoFn.setup`."""
        self._progress = ProgressWriter(self._staging.progress)

    def process(self, piece: Piece) -> Iterator[Batch]:
        """See `beam.DoFn.process`."""
        with self._staging.explaining_errors():
            for batch in read_batches(self._plan.spec.source, self._plan.features, self._plan.needed, piece):
                self._progress.add(examples=batch.tally.examples_in)
                yield batch
        self._progress.add(pieces=1)


class SpillRuns(beam.DoFn):
    """Batches -> sorted runs."""

    def __init__(self, plan: Plan, staging: StagingArea) -> None:
        self._plan = plan
        self._staging = staging

    def start_bundle(self) -> None:
        """See `beam.DoFn.start_bundle`."""
        plan = self._plan
        self._writer = RunWriter(
            self._staging.runs, plan.features, plan.text_features, plan.spec.seed, plan.spec.runner.memory_bytes
        )

    def process(self, batch: Batch) -> Iterable[Run]:
        """See `beam.DoFn.process`."""
        with self._staging.explaining_errors():
            run = self._writer.add(batch)
        return [run] if run else []

    def finish_bundle(self) -> Iterable[WindowedValue]:
        """See `beam.DoFn.finish_bundle`."""
        with self._staging.explaining_errors():
            run = self._writer.flush()
        window = GlobalWindow()
        return [WindowedValue(run, window.max_timestamp(), [window])] if run else []


class MergeRuns(beam.DoFn):
    """(shard index, number of shards) -> the finished shard in the staging area."""

    def __init__(self, staging: StagingArea) -> None:
        self._staging = staging

    def setup(self) -> None:
        """See `beam.DoFn.setup`."""
        self._progress = ProgressWriter(self._staging.progress)

    def process(self, shard: tuple[int, int], runs: Sequence[Run]) -> None:
        """See `beam.DoFn.process`."""
        with self._staging.explaining_errors():
            write_merged_shard(self._staging, merge_shard(self._staging.shards, runs, *shard))
        self._progress.add(shards=1)


def _choose_shards(_: None, shard_bytes: int, runs: Sequence[Run]) -> list[tuple[int, int]]:
    num_shards = num_shards_for(runs, shard_bytes)
    return [(shard_index, num_shards) for shard_index in range(num_shards)]


def _count(_: None, staging: StagingArea, runs: Sequence[Run]) -> None:
    write_tally(staging, total(run.tally for run in runs))
