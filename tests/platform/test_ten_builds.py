"""Ten builds at once, two at a time: all complete, and none overlaps another of its dataset.

Four of two datasets, unless GROUPSTREAM_TESTS=all.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import combinations
from typing import Any

import pytest

from tests.extent import ALL

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

LIMIT = 2
DATASETS = ("ten_a", "ten_b", "ten_c", "ten_d", "ten_e") if ALL else ("ten_a", "ten_b")
INSIDE = ("locate", "partition", "draft", "check", "claim", "describe", "publish", "register")  # tasks within the turn

Interval = tuple[datetime, datetime]


@pytest.fixture
def two_at_a_time(platform) -> Iterator[None]:
    before = platform.request("GET", "/work_pools/groupstream")["concurrency_limit"]
    platform.request("PATCH", "/work_pools/groupstream", {"concurrency_limit": LIMIT})
    yield
    platform.request("PATCH", "/work_pools/groupstream", {"concurrency_limit": before})


def test_ten_builds_of_five_datasets_complete_in_turns(platform, write_source, two_at_a_time):
    runs: dict[str, list[str]] = {name: [] for name in DATASETS}
    for num_examples in (60, 72):  # so that each dataset has two versions in the end
        for name in DATASETS:
            fields = write_source(platform.sources, f"{name}_{num_examples}", num_examples) | {"name": name}
            runs[name].append(platform.submit("build-dataset/build-dataset", {"spec": fields}))
    ended = [platform.wait_for_run(run, ["COMPLETED"]) for each in runs.values() for run in each]

    assert _most_at_once([_interval(run) for run in ended]) <= LIMIT
    for name in DATASETS:
        for one, other in combinations([_inside(platform, run) for run in runs[name]], 2):
            assert _most_at_once([one, other]) == 1, f"two builds of {name} at once: {one}, {other}"
        versions = [path.parent.name for path in (platform.root / name).glob("*/manifest.json")]
        assert len(versions) == 2, f"{name}: {versions}"


def _inside(platform: Any, run: str) -> Interval:
    """From the first to the last task that a run had in its turn."""
    body = {"flow_runs": {"id": {"any_": [run]}}, "limit": 200}
    tasks = [each for each in platform.request("POST", "/task_runs/filter", body) if each["name"].startswith(INSIDE)]
    assert tasks, f"run {run} has no tasks"
    intervals = [_interval(each) for each in tasks]
    return min(start for start, _ in intervals), max(end for _, end in intervals)


def _interval(run: dict[str, Any]) -> Interval:
    return datetime.fromisoformat(run["start_time"]), datetime.fromisoformat(run["end_time"])


def _most_at_once(intervals: list[Interval]) -> int:
    return max(sum(start <= moment < end for start, end in intervals) for moment, _ in intervals)
