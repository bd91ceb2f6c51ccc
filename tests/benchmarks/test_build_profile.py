"""Where the time of a build goes: whose time it is, when a stage ended, what stands in the tables."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.pictures import growth_picture
from benchmarks.pipeline.build import import_all
from benchmarks.pipeline.profile import tables
from benchmarks.pipeline.profile.figures import BY_EXAMPLE, BY_SIZE, cases_of, ratios_of
from benchmarks.pipeline.profile.found import STAGES, Found, Point, Profile, Shape, Spot
from benchmarks.pipeline.profile.hot import ROOT, spots_of
from benchmarks.pipeline.profile.limits import DISK, FLOOR, MUST, measure
from benchmarks.pipeline.profile.page import page
from benchmarks.pipeline.profile.sources import grid, make_spec
from benchmarks.pipeline.profile.stages import Milestones, build_whole
from benchmarks.results import Case, result_of
from pipelines.progress import Progress, write_progress

FRAMES = (str(ROOT / "reader/groupstream/tfrecord.py"), 1, "frame_records")
CRCS = (str(ROOT / "reader/groupstream/tfrecord.py"), 2, "crc32c_of_each")
SPILL = (str(ROOT / "pipelines/runs.py"), 3, "_write_records")
TAKE = ("/somewhere/site-packages/pyarrow/compute.py", 4, "take")
IN_C = ("~", 0, "<built-in method numpy.fromiter>")
WRITE = ("~", 0, "<method 'write' of '_io.BufferedWriter' objects>")
LOCK = ("~", 0, "<method 'acquire' of '_thread.lock' objects>")
BEAM = ("/somewhere/site-packages/apache_beam/runners/runner.py", 5, "run")


def calls(own: float) -> tuple[int, int, float, float]:
    return 1, 1, own, own


def point(megabytes: float, seconds: float, num_workers: int = 1, **shape: object) -> Point:
    made = Shape.model_validate({"megabytes": megabytes, **shape})
    stages = dict.fromkeys(STAGES, (0.1, 0.1)) | {"merge": (seconds, 2 * seconds)}
    limits = {"CRC32C": (0.1, 0.1), FLOOR: (0.5, 1.0)} if num_workers == 1 and megabytes == 8 else {}
    return Point(
        shape=made,
        num_workers=num_workers,
        num_examples=made.num_examples,
        num_groups=20,
        stored_bytes=round(megabytes * 1e6),
        stages=stages,
        limits=limits,
    )


@pytest.fixture
def found() -> Found:
    sizes = [point(size, size / 10, workers) for size in (1, 8, 64) for workers in (1, 2)]
    pages = point(8, 3.0, kind="jsonl", example_bytes=2_400)
    spots = (Spot(kind="SHA-256", place="a f", seconds=3.0), Spot(kind="Apache Beam", place="...", seconds=1.0))
    large = point(8, 0.4, example_bytes=100_000)
    return Found(points=(*sizes, large, pages), profiles=(Profile(shape=Shape(megabytes=8), spots=spots),))


def test_time_of_other_libraries_is_that_of_who_called_them() -> None:
    stats = {
        CRCS: (1, 1, 0.5, 4.5, {FRAMES: calls(0.5)}),
        FRAMES: (1, 1, 1.0, 5.5, {}),
        SPILL: (1, 1, 1.0, 9.0, {}),
        IN_C: (4, 4, 5.0, 5.0, {CRCS: calls(4.0), SPILL: calls(1.0)}),
        TAKE: (1, 1, 2.0, 2.0, {SPILL: calls(2.0)}),
        WRITE: (1, 1, 3.0, 3.0, {SPILL: calls(3.0)}),
        BEAM: (1, 1, 0.5, 0.5, {}),
        LOCK: (1, 1, 90.0, 90.0, {BEAM: calls(90.0)}),
    }
    profile = Profile(shape=Shape(megabytes=1), spots=tuple(spots_of(stats)))
    assert profile.kinds() == {
        "CRC32C": 4.5, "sorting into runs": 4.0, "disk": 3.0, "TFRecord framing": 1.0, "Apache Beam": 0.5
    }  # fmt: skip
    assert profile.spots[0] == Spot(kind="CRC32C", place="reader/groupstream/tfrecord.py crc32c_of_each", seconds=4.5)


def test_calls_in_a_circle_lose_no_time() -> None:
    other = ("/somewhere/site-packages/x.py", 7, "g")
    stats = {TAKE: (1, 1, 2.0, 3.0, {other: calls(2.0)}), other: (1, 1, 1.0, 3.0, {TAKE: calls(1.0)})}
    assert [(spot.kind, spot.seconds) for spot in spots_of(stats)] == [("the rest", 3.0)]


def test_milestones_are_passed_one_after_the_other_or_all_at_once(tmp_path: Path) -> None:
    with Milestones(tmp_path) as seen:
        write_progress(tmp_path / "a.json", Progress(examples=5))
        while len(seen.times) < 1:
            pass
        assert len(seen.times) == 1
        write_progress(tmp_path / "b.json", Progress(num_shards=2, shards=1))
    assert len(seen.times) == 2
    write_progress(tmp_path / "c.json", Progress(shards=1))
    with Milestones(tmp_path) as late:
        pass
    assert len(late.times) == 3 and late.times == sorted(late.times)


def test_the_grid_has_each_source_once() -> None:
    shapes = grid(1_024)
    assert len(set(shapes)) == len(shapes) == 13
    assert {shape.megabytes for shape in shapes} == {16, 128, 1_024}
    assert {shape.example_bytes for shape in shapes if shape.megabytes == 128} == {100, 1_000, 2_400, 10_000, 100_000}


def test_limits_are_of_the_same_bytes(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["one", "two words"] * 500}), tmp_path / "a.parquet")
    (tmp_path / "shard").write_bytes(bytes(100_000))
    seconds = measure([f"{tmp_path}/*.parquet"], [tmp_path / "shard"], tmp_path)
    assert set(seconds) == {*MUST, FLOOR, "Python `for`", *DISK} - {"gunzip"}
    assert min(seconds.values()) > 0
    assert seconds[FLOOR] == pytest.approx(sum(seconds.get(name, 0) for name in MUST))
    assert not set(DISK) & set(measure([f"{tmp_path}/*.parquet"], [tmp_path / "shard"], tmp_path, has_disk=False))


def test_ratios_are_those_of_the_same_turn(found: Found) -> None:
    ratios = {ratio.name: ratio.values for ratio in ratios_of(found)}
    assert ratios["work / CRC32C, time at 1,000"] == pytest.approx((9.0, 17.0))
    assert ratios["whole build / one of each, time at 1,000"] == pytest.approx((3.0, 2.3))
    assert ratios["work of JSON / one of each, time at 2,400"] == pytest.approx((6.2, 6.1))
    assert ratios["2 processes, many groups / 1 process, time at 64,000"] == pytest.approx((1.0, 1.0))
    assert "whole build / CRC32C, time at 100,000" not in ratios


def test_figures_have_the_size_that_they_go_over(found: Found) -> None:
    cases = list(cases_of(found))
    assert {case.at for case in cases if case.figure == BY_SIZE} == {1_000, 8_000, 64_000}
    assert {case.at for case in cases if case.figure == BY_EXAMPLE} == {1_000, 100_000}
    [one] = [c for c in cases if (c.figure, c.at, c.case) == (BY_SIZE, 64_000, "1 process, many groups")]
    assert one.values == pytest.approx((64 / 7.1, 64 / 13.5))


def test_tables_say_times_and_shares(found: Found) -> None:
    lines = tables.tables(found)
    stages = next(line for line in lines if line.startswith("| 64 MB of 1 KB, many groups, 1 process |"))
    assert stages.endswith("| 10 |") and "9.60 (92%)" in stages
    limit = next(line for line in lines if line.startswith("| CRC32C |"))
    assert "80.0 MB/s: 13×, 19×" in limit  # of 1 KB
    assert "| SHA-256 | 75% |" in lines
    assert "| 1 KB | SHA-256 | `a f` | 75.0% |" in lines


def test_the_page_says_what_was_found_or_that_nothing_was(found: Found) -> None:
    assert "Not measured in this form yet." in page(None, {})
    result = result_of("pipeline.profile", "", (), cases_of(found), details=found.model_dump())
    text = page(result, {"a.svg": "a picture"})
    assert "![a picture](a.svg)" in text and result.command in text
    assert "The profile of 8 MB of 1 KB, many groups: SHA-256 75%, Apache Beam 25%." in text
    assert "Of 64 MB of 1 KB, many groups they are 94% of the time." in text


@pytest.mark.integration
@pytest.mark.parametrize("shape", [Shape(megabytes=1), Shape(megabytes=1, kind="jsonl", example_bytes=2_400)])
def test_a_whole_build_has_every_stage(shape: Shape, tmp_path: Path) -> None:
    spec = make_spec(shape, tmp_path, 1)
    import_all(spec)
    built = build_whole(tmp_path / "root", spec)
    assert tuple(built.seconds) == STAGES and min(built.seconds.values()) >= 0
    assert built.num_examples == shape.num_examples // 8 * 8
    assert built.stored_bytes == sum(path.stat().st_size for path in built.shards)


@pytest.mark.parametrize(("load", "is_said"), [(1.9, False), (9.0, True)])
def test_the_page_says_that_the_machine_was_busy(found: Found, load: float, is_said: bool) -> None:
    result = result_of("pipeline.profile", "", (), cases_of(found), details=found.model_dump())
    machine = result.machine.model_copy(update={"load": load, "cores": 2})
    assert ("The machine was busy" in page(result.model_copy(update={"machine": machine}), {})) is is_said


def test_a_picture_of_less_than_a_power_of_ten_has_numbers_too() -> None:
    cases = [
        Case(case="a", figure="speed", unit="MB/s", values=(value,), at=at) for at, value in ((100, 2.2), (1000, 6))
    ]
    svg = growth_picture("some-speed", cases, "bytes of an example")
    assert ">5<" in svg and "bytes of an example" in svg and ">examples<" not in svg
