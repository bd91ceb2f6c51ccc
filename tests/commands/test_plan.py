"""`groupstream plan`: its figures against what a build then does, what it costs, and what it says."""

from __future__ import annotations

import gzip
import json
import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pytest

from groupstream import Feature, UsageError
from groupstream.features import Features
from partitioners import CountingPartitioner, ExampleIds, RulePartitioner
from pipelines.dataflow_cost import PRICES, SECONDS_A_CORE, START_HOURS, Work, estimate_cost, machine_of, read_prices
from pipelines.estimate import estimate_build
from pipelines.partition import partition
from pipelines.plan import make_plan
from pipelines.sample import PieceReading, Sampler
from pipelines.source_size import estimate_examples, sizes_of
from pipelines.staging import staging_area
from pipelines.trial import try_out
from sources import Piece, Source
from sources.source import SourceBatch
from specs.runner import Dataflow

NUM_FILES, ROWS = 8, 500
DATAFLOW = "runner={kind: dataflow, project: p, region: r, sdk_container_image: i, machine_type: n2-standard-4}"


def test_figures_of_a_small_source_are_those_of_its_build(plan_of, tmp_path):
    plan = plan_of("publish.shard_bytes=100000", "splits={by: example, fractions: {train: 0.8, test: 0.2}}")
    figures = estimate_build(plan).figures
    with staging_area(tmp_path / "root") as staging:
        splits = partition(plan, staging).splits
        shards = [shard for split in splits.values() for shard in split.shards]
    assert figures["examples"] == (NUM_FILES * ROWS, "all of them were read")
    assert figures["output_bytes"].value == sum(shard.size_bytes for shard in shards)
    assert figures["shards"].value == len(shards) > 4
    assert figures["source_bytes"].value == sum(file.stat().st_size for file in Path().glob("part-*"))
    assert figures["staging_bytes"].value == 2 * figures["output_bytes"].value
    assert all(amount.how for amount in figures.values())


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_examples_are_estimated_from_part_of_the_files(plan_of, source, ending):
    lines = b"".join((source / f"part-{file}.jsonl").read_bytes() for file in range(NUM_FILES))
    for file in range(NUM_FILES):
        (source / f"part-{file}.jsonl").unlink()
        content = lines * (3 + 4 * file % 5)
        compressed = gzip.compress(content, 1) if ending else content
        (source / f"part-{file}.jsonl{ending}").write_bytes(compressed)
    plan = plan_of(f"source.paths=[part-*.jsonl{ending}]")
    number = sum(NUM_FILES * ROWS * (3 + 4 * file % 5) for file in range(NUM_FILES))
    sampler = Sampler(plan, number // 4, 4)
    list(sampler)
    assert not sampler.complete
    found = estimate_examples(plan, sampler, sizes_of(plan.pieces), 100)
    assert found.value == pytest.approx(number, rel=0.1)
    assert "bytes an example in the files" in found.how


def test_what_the_first_batch_read_ahead_is_not_counted(plan_of):
    plan = plan_of()
    sizes = sizes_of(plan.pieces)
    reading = PieceReading(plan.pieces[0], iter(()))
    reading.batches_read = [(100, 60_000), (100, 10_000), (100, 10_000)]
    sampler = Sampler(plan, 300)
    sampler.readings.append(reading)
    found = estimate_examples(plan, sampler, sizes, 100)
    assert found == (round(sizes.total / 100), "100 bytes an example in the files, from the beginning of 1")


def test_figures_of_a_part_are_multiplied(plan_of, source):
    lines = (source / "part-0.jsonl").read_bytes()
    for file in range(NUM_FILES):
        (source / f"part-{file}.jsonl").write_bytes(lines * 20)
    figures = estimate_build(plan_of("publish.shard_bytes=100000")).figures
    number = 20 * NUM_FILES * ROWS
    assert figures["sample_examples"].value == 20_000 == number // 4
    assert figures["examples"].value == pytest.approx(number, rel=0.01)
    each = estimate_build(plan_of("source.paths=[part-0.jsonl]")).figures["output_bytes"].value / (20 * ROWS)
    assert figures["output_bytes"].value == pytest.approx(number * each, rel=0.02)
    assert figures["shards"].value == pytest.approx(number * each / 100_000, abs=3)


def test_pieces_of_one_file_share_its_bytes(plan_of, source):
    pieces = plan_of().pieces
    sizes = sizes_of([*pieces, replace(pieces[0], index=NUM_FILES)])
    assert sizes.total == sum(file.stat().st_size for file in source.glob("part-*"))
    assert sizes.num_files == NUM_FILES
    assert sizes.of_piece[0] == (source / "part-0.jsonl").stat().st_size / 2


def test_a_partitioner_that_counts_first_makes_a_second_pass(plan_of):
    counting = "partitioner={kind: fixed_sizes, sizes: [100, 300]}"
    assert estimate_build(plan_of()).figures["passes"].value == 1
    found = estimate_build(plan_of(counting)).figures
    assert found["passes"].value == 2
    assert found["passes"].how.startswith("the partitioner (fixed_sizes) must count first; checksums of local files")


def test_no_room_is_said_before_anything_is_written(command, spec_file, monkeypatch, tmp_path):
    free = 1 << 10
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": free})())
    code, out, err = command("plan", str(spec_file))
    assert code == 1 and "staging free" in out
    assert err.startswith("error: the staging area needs about ") and "1,024 are free on the disk of" in err
    assert not (tmp_path / "datasets").exists()


def test_plan_as_json_gives_each_figure_with_how_it_was_got(command, spec_file):
    code, out, err = command("plan", str(spec_file), "--json", "--set", "runner.num_workers=2")
    found = json.loads(out)
    assert (code, err) == (0, "") and found["fits"] is True and found["dataflow"] == {}
    assert found["figures"]["workers"]["value"] == 2
    assert found["figures"]["seconds"]["value"] > 0
    assert "measured on the sample now" in found["figures"]["seconds"]["how"]


def test_plan_says_what_will_be_dropped(command, spec_file):
    code, out, _ = command("plan", str(spec_file), "--set", "checks={examples: {label: {max_value: 3}}}")
    assert code == 0 and "20.0% of the sample are dropped (check label: max_value 3)" in " ".join(out.split())


class Silent(Source):
    """A source without files that does not say how large it is: two pieces of a million examples."""

    kind: str = "silent"

    def available_features(self) -> Features:
        return {"author": Feature(dtype="int64")}

    def pieces(self) -> list[Piece]:
        return [Piece(index, f"piece {index}") for index in range(2)]

    def identity(self) -> dict[str, Any]:
        raise AssertionError("a plan asks for no identity, which may take reading everything")

    def read(self, piece: Piece, features: Features, needed: frozenset[str]) -> Iterator[SourceBatch]:
        for start in range(0, 1_000_000, 1_000):
            yield SourceBatch(pa.record_batch({"author": pa.array(range(start, start + 1_000))}))


def test_plan_of_an_unknown_size_says_so(plan_of):
    plan = make_plan(plan_of().spec.model_copy(update={"source": Silent()}), identify=False)
    found = estimate_build(plan)
    assert found.figures["examples"].value is None
    assert found.figures["sample_examples"].value == 20_000
    assert "output_bytes" not in found.figures and found.warnings


def test_time_to_read_a_batch_is_that_of_the_examples_that_are_taken(plan_of):
    """A batch of 10,000 short examples is read at once, and a sample may take a part of it."""
    reading = PieceReading(plan_of().pieces[0], iter(()))
    reading.seconds, reading.num_examples, reading.batches_read = 4.0, 150, [(100, 0), (100, 0)]
    sampler = Sampler(plan_of(), 300)
    sampler.readings.append(reading)
    assert sampler.seconds == 3.0


class SlowToLoad(RulePartitioner):
    """Takes a moment to load, as a list of public suffixes does, and none for an example."""

    kind: str = "slow_to_load"
    in_words: ClassVar[str] = ""
    reads: ClassVar[frozenset[str]] = frozenset(["author"])
    loaded: ClassVar[list[int]] = []

    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        if not self.loaded:
            time.sleep(0.3)
            self.loaded.append(len(batch))
        return batch.column("author")


class SlowToFit(CountingPartitioner):
    """Takes a moment for what follows from the counts, as k-means does."""

    kind: str = "slow_to_fit"
    in_words: ClassVar[str] = ""
    reads: ClassVar[frozenset[str]] = frozenset(["author"])

    def count(self, batch: pa.RecordBatch, ids: ExampleIds) -> int:
        return len(batch)

    def merge(self, counts: Iterable[int]) -> int:
        return sum(counts)

    def fit(self, counts: int) -> SlowToLoad:
        time.sleep(0.3)
        return SlowToLoad()


@pytest.mark.parametrize("partitioner", [SlowToLoad(), SlowToFit()], ids=["load", "fit"])
def test_what_is_done_once_is_not_multiplied(plan_of, partitioner):
    SlowToLoad.loaded.clear()
    plan = plan_of()
    plan = replace(plan, spec=plan.spec.model_copy(update={"partitioner": partitioner}))
    trial = try_out(plan, Sampler(plan, 1_000))
    assert SlowToLoad.loaded == [1]
    assert trial.seconds["assign"] < 0.25
    assert sum(trial.seconds.values()) - trial.scaling_seconds == trial.seconds.get("fit", 0)
    assert (trial.seconds.get("fit", 0) >= 0.3) is isinstance(partitioner, SlowToFit)


WORK = Work(core_seconds=72_000, source_bytes=8e11, num_passes=1, output_bytes=1e12, num_runs=1_000, num_shards=500)


def test_cost_is_hours_times_prices():
    runner = Dataflow(project="p", region="r", sdk_container_image="i", machine_type="n2-standard-4", num_workers=10)
    found = estimate_cost(runner, WORK, PRICES)
    worker_hours = 72_000 * SECONDS_A_CORE / 3600 / 4 + 10 * START_HOURS
    assert found["vcpu_dollars"].value == pytest.approx(worker_hours * 4 * 0.056, rel=1e-3)
    assert found["memory_dollars"].value == pytest.approx(worker_hours * 16 * 0.003557, rel=1e-3)
    assert found["read_dollars"].value == pytest.approx((8e11 / (8 << 20) + 2 * 500_000) / 1000 * 0.0004, rel=1e-3)
    assert found["hours"].value == pytest.approx(worker_hours / 10, abs=0.01)
    parts = [amount.value for name, amount in found.items() if name not in ("hours", "dollars")]
    assert math.isclose(found["dollars"].value, sum(parts), abs_tol=0.01)


def test_twice_the_machines_take_half_the_time_for_about_the_same():
    few, many = (
        estimate_cost(Dataflow(project="p", region="r", sdk_container_image="i", num_workers=n), WORK, PRICES)
        for n in (10, 20)
    )
    assert many["hours"].value == pytest.approx(few["hours"].value / 2, rel=0.05)
    assert few["dollars"].value < many["dollars"].value < 1.1 * few["dollars"].value


def test_prices_can_be_changed(command, spec_file):
    arguments = ("plan", str(spec_file), "--set", DATAFLOW, "--set", "publish.root=gs://bucket/datasets", "--json")
    first, dearer = (
        json.loads(command(*arguments, *more)[1])["dataflow"] for more in ((), ("--price", "vcpu_hour=5.6"))
    )
    assert dearer["vcpu_dollars"]["value"] > 20 * first["vcpu_dollars"]["value"] > 0
    assert "to be checked" in first["dollars"]["how"]
    assert read_prices(["shuffle_gb=1"]) == PRICES | {"shuffle_gb": 1}


def test_more_memory_than_a_machine_has_is_noted(plan_of):
    small = DATAFLOW.replace("n2-standard-4", "n2-highcpu-4")
    (warning,) = estimate_build(plan_of(small, "publish.root=gs://bucket/datasets")).warnings
    assert "4 processes of runner.memory_bytes 2,147,483,648 want 8,589,934,592 bytes" in warning and "4 GB" in warning
    assert not estimate_build(plan_of(DATAFLOW, "publish.root=gs://bucket/datasets")).warnings


@pytest.mark.parametrize(
    ("setting", "words"), [("vcpu=1", "names no price; they are vcpu_hour"), ("vcpu_hour=x", "is no number")]
)
def test_a_price_that_is_none_is_refused(command, spec_file, setting, words):
    code, _, err = command("plan", str(spec_file), "--price", setting)
    assert code == 2 and words in err and len(err.splitlines()) == 1


def test_a_machine_says_how_large_it_is():
    assert machine_of("n1-highmem-8") == (8, 52.0)
    with pytest.raises(UsageError, match="'custom-8-1024' does not say how large it is"):
        machine_of("custom-8-1024")
