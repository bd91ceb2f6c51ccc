"""The benchmark of a version as large as FedC4, tried on a few groups: the version is one, and its figures are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import groupstream
from benchmarks.fedc4_size.__main__ import main
from benchmarks.fedc4_size.cases import AXES, CASES, Axis, run
from benchmarks.fedc4_size.ids import group_ids
from benchmarks.fedc4_size.index_cases import join_the_index
from benchmarks.fedc4_size.names import EARLIER, NUM_GROUPS, NUM_SHARDS, version_folder
from benchmarks.fedc4_size.page import AXES as PAGE_AXES
from benchmarks.fedc4_size.page import page
from benchmarks.fedc4_size.report import MAX_EXPONENT, cases_of, ratios_of, tables
from benchmarks.fedc4_size.runs import Figure, Measured, counts_of
from benchmarks.fedc4_size.version import make_version
from benchmarks.pipeline.fedc4 import Workload
from benchmarks.results import load, result_of
from groupstream import layout
from groupstream.group_order import hash_group_ids

GROUPS = 2 * (NUM_GROUPS // NUM_SHARDS + 1)  # two shards
SIZES = {"groups": 3_000, "shards": 20, "versions in the registry": 200, "versions of one dataset": 20}
TIME = Figure("groups", "sorting", "processor time")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fedc4") / "groups"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GROUPSTREAM_CACHE", "")  # which making sets
        make_version(folder, GROUPS)
    return folder


def test_it_is_as_large_as_the_worked_out_one() -> None:
    assert Workload().num_groups == NUM_GROUPS


def test_the_version_is_one(made: Path) -> None:
    train = groupstream.open(version_folder(made))["train"]
    table = train.group_table()
    assert (len(table), train.num_groups, len(train.info.shards)) == (GROUPS, GROUPS, 2)
    hashes = hash_group_ids(table["group_id"].to_pylist(), train.seed)
    assert table["group_hash"].to_pylist() == [h.tobytes() for h in hashes]
    assert table["group_hash"].to_pylist() == sorted(table["group_hash"].to_pylist())
    assert 0.4 < train.info.shards[0].num_groups / GROUPS < 0.6
    assert 18 < train.num_examples / GROUPS < 30  # 23.4 of FedC4
    rows = table.filter(table["shard_index"].to_numpy() == 1).to_pylist()
    assert [row["offset_bytes"] for row in rows[:2]] == [0, rows[0]["length_bytes"]]
    assert list(next(train.group(table["group_id"][0].as_py()).examples())) == ["text", "url"]


def test_ids_are_different() -> None:
    ids = group_ids(np.arange(100_000)).to_pylist()
    assert len(set(ids)) == 100_000
    assert {len(group_id) for group_id in ids} == {15}


def test_the_earlier_version_lacks_every_hundredth_group(made: Path) -> None:
    now, before = (
        set(groupstream.open(version_folder(made, version))["train"].group_table(["group_id"])["group_id"].to_pylist())
        for version in ("1.0.0", EARLIER)
    )
    assert before < now
    assert 0.005 < 1 - len(before) / len(now) < 0.03


def test_the_joined_table_is_that_of_the_version(made: Path) -> None:
    joined = made / "joined.parquet"
    found = join_the_index(made)
    assert not joined.exists()
    table = version_folder(made) / layout.group_table_file("train")
    assert found.bytes["index on disk"] == table.stat().st_size
    assert pq.ParquetFile(table).metadata.num_rows == GROUPS


@pytest.mark.parametrize("axis", AXES, ids=lambda axis: axis.counted)
def test_every_case_finds_something(axis: Axis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUPSTREAM_CACHE", str(tmp_path / "cache"))
    folder = axis.make(tmp_path, SIZES[axis.counted])
    assert axis.make(tmp_path, SIZES[axis.counted]) == folder
    names: set[str] = set()
    for case in axis.cases:
        found = run(case, folder)
        names |= {case, *found["seconds"], *found["bytes"]}
        assert found["processor_seconds"].keys() == found["seconds"].keys()
        assert found["seconds"] and all(seconds > 0 for seconds in found["seconds"].values())
        assert all(size > 0 for size in found["bytes"].values()) or "first" in case  # a small index is not copied
        assert found["peak_bytes"] > 10_000_000
    (on_page,) = [each for each in PAGE_AXES if each.counted == axis.counted]
    for row in on_page.rows:
        held = f"{row.held}, own memory" if row.is_own else row.held
        assert {row.timed, row.sized, held} - {None} <= names, "what the page has a row for is measured"


def test_names_are_different() -> None:
    assert len(CASES) == sum(len(axis.cases) for axis in AXES)
    assert [counts_of(axis, 1)[-1] for axis in AXES] == [axis.whole for axis in AXES]
    assert counts_of(AXES[0], 1) == [975_000, 3_900_000, 15_600_000]


def measured_as(power: float) -> Measured:
    found = Measured()
    for count in (1_000, 4_000, 16_000):
        for turn in (1.0, 1.1, 0.9):
            found.add(TIME, count, turn * (count / 1_000) ** power)
            found.add(TIME._replace(kind="memory"), count, 1e8 + 40 * count)
    return found


def test_what_grows_faster_than_linear_breaks_its_limit() -> None:
    for power, is_kept in ((1.0, True), (0.0, True), (1.5, False), (2.0, False)):
        [growth] = [case for case in cases_of(measured_as(power)) if case.figure == "growth of time"]
        assert (growth.median, growth.limit, growth.is_kept) == (pytest.approx(power), MAX_EXPONENT, is_kept)


def test_a_ratio_is_of_the_two_largest_sizes() -> None:
    [ratio] = ratios_of(measured_as(1.0))
    assert ratio.name == "sorting / 4,000 groups, processor time at 16,000"
    assert ratio.values == pytest.approx((4.0, 4.0, 4.0))


def test_what_one_more_takes_is_told() -> None:
    [more] = [case for case in cases_of(measured_as(1.0)) if case.figure == "memory of one more"]
    assert more.median == pytest.approx(40)
    text = "\n".join(tables(measured_as(1.0)))
    assert "| sorting | memory, MB | 100 | 100 | 101 |  |  | 40.0 |" in text
    assert "| sorting | processor time, s | 1.00 | 4.00 | 16.0 | 1.00 | 1.00 |  |" in text


@pytest.mark.integration
def test_a_run_measures_each_case_in_a_process_of_its_own(tmp_path: Path) -> None:
    chosen = ["stored order", "manifest, opened"]
    main([str(tmp_path), "--groups", "16000", "--turns", "2", "--cases", *chosen, "--results", str(tmp_path / "out")])
    result = load(tmp_path / "out" / "fedc4_size.json")
    memory = {case.at: case for case in result.cases if case.figure == "memory over groups"}
    assert list(memory) == [1_000, 4_000, 16_000]
    assert all(len(case.values) == 2 for case in memory.values())
    assert {case.case for case in result.cases if case.figure == "time over shards"} >= {"manifest, opened"}
    assert "## groups" in (tmp_path / "out" / "fedc4_size.md").read_text()


def test_the_page_says_what_the_figures_say() -> None:
    found = Measured()
    for count in (1_000, 4_000, 16_000):
        found.add(Figure("groups", "join the index", "processor time"), count, count / 1_000)
        found.add(Figure("groups", "index on disk", "size"), count, 32.0 * count)
        found.add(Figure("groups", "join the index", "memory"), count, 1e8 + 50 * count)
        found.add(Figure("groups", "look up, opened fresh", "processor time"), count, 0.004)
        found.add(Figure("groups", "look-ups, own memory", "size"), count, 6e7)
        found.add(Figure("groups", "dataset card", "processor time"), count, 7.0)
        found.add(Figure("groups", "dataset card", "size"), count, 87_500)
        found.add(Figure("groups", "dataset card", "memory"), count, 1e8 + count)
    text = page(result_of("fedc4_size", "", {}, cases_of(found)))
    assert "## By the number of groups: 1,000, 4,000 and 16,000" in text
    assert "where the build was started | 16.0 s | 1.00 | 512 kB, 32 bytes each | 50 bytes |" in text
    assert "| a look-up by a process that opens the version | 4.00 ms |  |  | mapped; 0 bytes |" in text
    assert "| the dataset card | 7.00 s | 0.00 | 87.5 kB, whatever the number | 1 byte |" in text
    assert "By the number of shards" not in text, "what was not measured is left out"
