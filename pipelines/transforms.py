"""The steps of a build as Beam transforms. They wire plain functions and do nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from partitioners import CountingPartitioner, Partitioner, Rule
from pipelines.batches import Batch, assign_groups, assign_splits, check_examples, read_batches
from pipelines.coders import BatchCoder
from pipelines.counting import count_batch
from pipelines.discard import discard_shard
from pipelines.merge import merge_shard, num_shards_for
from pipelines.plan import Plan
from pipelines.progress import ProgressWriter
from pipelines.quarantine import quarantine_examples
from pipelines.regroup import num_shards_after, regroup_range
from pipelines.regroup_filter import RegroupedRange
from pipelines.regroup_rule import RegroupRule, regroup_rule
from pipelines.results import is_merged, read_rule, write_counts, write_merged_shard, write_outcome
from pipelines.run_file import Run
from pipelines.runs import RunWriter, Shape
from pipelines.staging import StagingArea
from pipelines.tally import total
from sources import Piece

_ShardNumber = tuple[str, int, int]  # split, shard index, number of shards


beam.coders.registry.register_coder(Batch, BatchCoder)


class CountExamples(beam.PTransform):
    """Pieces of a source to what the partitioner must know of their examples, written to the staging area."""

    def __init__(self, plan: Plan, staging: StagingArea, partitioner: CountingPartitioner) -> None:
        super().__init__()
        self._plan = plan
        self._staging = staging
        self._partitioner = partitioner

    def expand(self, pieces: beam.PCollection) -> beam.PCollection:
        """See the class."""
        plan, staging = self._plan, self._staging
        return (
            pieces
            | "Spread pieces to count" >> beam.Reshuffle()
            | "Read pieces to count" >> beam.ParDo(ReadPieces(plan, staging, to_count=True)).with_output_types(Batch)
            | "Check examples to count" >> _map_batches(check_examples, plan.spec.checks.examples)
            | "Count examples" >> beam.Map(partial(count_batch, self._partitioner))
            | "Merge counts" >> beam.CombineGlobally(MergeCounts(self._partitioner))
            | "Write counts" >> beam.Map(partial(write_counts, staging))
        )


class MergeCounts(beam.CombineFn):
    """Counts -> one. As in a binary counter, two that were merged of as many are merged at once: few are ever held."""

    def __init__(self, partitioner: CountingPartitioner) -> None:
        self._partitioner = partitioner

    def create_accumulator(self) -> list[tuple[int, Any]]:
        """See `beam.CombineFn.create_accumulator`."""
        return []

    def add_input(self, accumulator: list[tuple[int, Any]], counts: Any) -> list[tuple[int, Any]]:
        """See `beam.CombineFn.add_input`."""
        level = 0
        while accumulator and accumulator[-1][0] == level:
            counts, level = self._partitioner.merge([accumulator.pop()[1], counts]), level + 1
        accumulator.append((level, counts))
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[list[tuple[int, Any]]]) -> list[tuple[int, Any]]:
        """See `beam.CombineFn.merge_accumulators`."""
        merged = self.create_accumulator()
        for accumulator in accumulators:
            for _, counts in accumulator:
                self.add_input(merged, counts)
        return merged

    def extract_output(self, accumulator: list[tuple[int, Any]]) -> Any:
        """See `beam.CombineFn.extract_output`."""
        return self._partitioner.merge([counts for _, counts in accumulator])


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
            | "Read pieces" >> beam.ParDo(ReadPieces(plan, staging)).with_output_types(Batch)
            | "Check examples" >> _map_batches(quarantine_examples, staging, plan.features, plan.spec.checks.examples)
            | "Assign groups" >> beam.ParDo(AssignGroups(plan.spec.partitioner, staging)).with_output_types(Batch)
            | "Assign splits" >> _map_batches(assign_splits, plan.spec.splits)
            | "Spill runs" >> beam.ParDo(SpillRuns(plan, staging))
        )
        spilled = [beam.pvalue.AsList(runs)]
        rule = regroup_rule(plan.spec)
        if rule is not None:
            regrouped = (
                pieces.pipeline
                | "Start regrouping" >> beam.Create([None])
                | "Choose ranges" >> beam.ParDo(ChooseRanges(plan), *spilled)
                | "Spread ranges" >> beam.Reshuffle()
                | "Regroup" >> beam.ParDo(RegroupRanges(plan, staging, rule), *spilled)
            )
            spilled.append(beam.pvalue.AsList(regrouped))
        return (
            pieces.pipeline
            | "Start merging" >> beam.Create([None])
            | "Count and choose shards" >> beam.ParDo(ChooseShards(plan, staging), *spilled)
            | "Spread shards" >> beam.Reshuffle()
            | "Merge runs" >> beam.ParDo(MergeRuns(plan, staging), *spilled)
        )


class ReadPieces(beam.DoFn):
    """Piece -> its batches."""

    def __init__(self, plan: Plan, staging: StagingArea, to_count: bool = False) -> None:
        self._to_count = to_count
        self._source = plan.spec.source
        self._features = plan.features
        self._needed = plan.needed
        self._staging = staging

    def setup(self) -> None:
        """See `beam.DoFn.setup`."""
        self._progress = ProgressWriter(self._staging.progress)

    def process(self, piece: Piece) -> Iterator[Batch]:
        """See `beam.DoFn.process`."""
        for batch in read_batches(self._source, self._features, self._needed, piece):
            with self._staging.explaining_errors():
                self._add(0, batch.tally.examples_in, batch.num_bytes)
            yield batch
        with self._staging.explaining_errors():
            self._add(1, 0, 0)

    def _add(self, pieces: int, examples: int, num_bytes: int) -> None:
        if self._to_count:
            self._progress.add(counted_pieces=pieces, counted_examples=examples, counted_bytes=num_bytes)
        else:
            self._progress.add(pieces=pieces, examples=examples, read_bytes=num_bytes)


class AssignGroups(beam.DoFn):
    """Batch -> the same with groups. The rule is the partitioner, or what `write_rule` left in the staging area."""

    def __init__(self, partitioner: Partitioner, staging: StagingArea) -> None:
        self._partitioner = partitioner
        self._staging = staging

    def setup(self) -> None:
        """See `beam.DoFn.setup`."""
        self._rule: Rule = read_rule(self._partitioner, self._staging)

    def process(self, batch: Batch) -> Iterator[Batch]:
        """See `beam.DoFn.process`."""
        yield assign_groups(self._partitioner, self._rule, batch)


class SpillRuns(beam.DoFn):
    """Batches -> sorted runs."""

    def __init__(self, plan: Plan, staging: StagingArea) -> None:
        self._shape = _shape_of(plan)
        self._payload_bytes = plan.budget.payload_bytes
        self._staging = staging

    def setup(self) -> None:
        """See `beam.DoFn.setup`."""
        self._writer: RunWriter | None = None

    def start_bundle(self) -> None:
        """Begins anew: what waits of a bundle that failed is forgotten, since all of it comes again."""
        if self._writer is None:
            self._writer = RunWriter(self._staging, self._shape, self._payload_bytes)
        self._writer.clear()

    def process(self, batch: Batch) -> Iterable[Run]:
        """See `beam.DoFn.process`."""
        assert self._writer is not None
        return self._writer.add(batch)

    def finish_bundle(self) -> Iterable[WindowedValue]:
        """See `beam.DoFn.finish_bundle`."""
        assert self._writer is not None
        runs = self._writer.flush()
        self._writer = None  # gives its memory back before anything is merged
        window = GlobalWindow()
        return [WindowedValue(run, window.max_timestamp(), [window]) for run in runs]


class ChooseRanges(beam.DoFn):
    """One element -> (range, number of ranges) of every range of hashes whose groups are looked at together."""

    def __init__(self, plan: Plan) -> None:
        self._shard_bytes = plan.spec.publish.shard_bytes

    def process(self, _: None, runs: Sequence[Run]) -> Iterator[tuple[int, int]]:
        """See `beam.DoFn.process`."""
        number = num_shards_for(runs, self._shard_bytes)
        yield from ((index, number) for index in range(number))


class RegroupRanges(beam.DoFn):
    """(range, number of ranges) -> what became of its groups that are too small or too large."""

    def __init__(self, plan: Plan, staging: StagingArea, rule: RegroupRule) -> None:
        self._shape = _shape_of(plan)
        self._budget = plan.budget
        self._staging = staging
        self._rule = rule

    def process(self, one: tuple[int, int], runs: Sequence[Run]) -> Iterator[RegroupedRange]:
        """See `beam.DoFn.process`."""
        yield regroup_range(self._staging, runs, self._rule, self._shape, self._budget, *one)


class ChooseShards(beam.DoFn):
    """One element -> (split, shard index, number of shards) of every shard; the counts are written on the way."""

    def __init__(self, plan: Plan, staging: StagingArea) -> None:
        self._splits = plan.split_names
        self._shard_bytes = plan.spec.publish.shard_bytes
        self._staging = staging

    def setup(self) -> None:
        """See `beam.DoFn.setup`."""
        self._progress = ProgressWriter(self._staging.progress)

    def process(self, _: None, runs: Sequence[Run], regrouped: Sequence[RegroupedRange] = ()) -> Iterator[_ShardNumber]:
        """See `beam.DoFn.process`."""
        num_shards = {split: num_shards_after(runs, regrouped, split, self._shard_bytes) for split in self._splits}
        tallies = [run.tally for run in runs] + [one.tally for one in regrouped]
        write_outcome(self._staging, total(tallies), num_shards)
        with self._staging.explaining_errors():
            self._progress.add(num_shards=sum(num_shards.values()))
        for split, number in num_shards.items():
            yield from ((split, shard_index, number) for shard_index in range(number))


class MergeRuns(beam.DoFn):
    """(split, shard index, number of shards) -> the finished shard in the staging area."""

    def __init__(self, plan: Plan, staging: StagingArea) -> None:
        self._staging = staging
        self._budget = plan.budget
        self._discards = plan.spec.runner.kind == "local"  # where nobody else may be at work on the same shard

    def setup(self) -> None:
        """See `beam.DoFn.setup`."""
        self._progress = ProgressWriter(self._staging.progress)

    def process(self, shard: _ShardNumber, runs: Sequence[Run], regrouped: Sequence[RegroupedRange] = ()) -> None:
        """See `beam.DoFn.process`. A shard that was finished before its bundle failed is not made again."""
        size_bytes = 0
        if not is_merged(self._staging, *shard[:2]):
            merged = merge_shard(self._staging, runs, *shard, self._budget, regrouped)
            write_merged_shard(self._staging, merged)
            size_bytes = merged.size_bytes
        if self._discards:
            made = [run for one in regrouped for run in one.runs]
            discard_shard(self._staging, [*runs, *made], *shard)
        with self._staging.explaining_errors():
            self._progress.add(shards=1, shard_bytes=size_bytes)


def _shape_of(plan: Plan) -> Shape:
    return Shape(plan.features, plan.text_features, plan.split_names, plan.label_feature, plan.spec.seed)


def _map_batches(function: Callable[..., Batch], *first: Any) -> beam.ParDo:
    """`function(*first, batch)` of each batch."""
    return beam.Map(partial(function, *first)).with_output_types(Batch)
