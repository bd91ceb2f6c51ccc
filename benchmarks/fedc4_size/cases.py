"""What is measured, each in a process of its own: `python -m benchmarks.fedc4_size.cases CASE FOLDER` prints JSON.

Such a process imports what its case needs, and nothing else.
"""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.fedc4_size.names import NUM_GROUPS
from benchmarks.peers.group_loop import peak_bytes


@dataclass(frozen=True)
class Axis:
    """What grows.

    Attributes:
        counted: what there are more and more of.
        whole: how many there are of them at the size of FedC4.
        maker: makes what the cases read, in a folder of its own, unless it is there.
        cases: by name; as `maker`, a module beside this one and a function in it.
    """

    counted: str
    whole: int
    maker: str
    cases: dict[str, str]

    def folder(self, where: Path, count: int) -> Path:
        """Of one size."""
        return where / f"{self.counted.replace(' ', '-')}-{count}"

    def make(self, where: Path, count: int) -> Path:
        """Makes what is missing of one size, and gives its folder."""
        where.mkdir(parents=True, exist_ok=True)
        _function(self.maker)(self.folder(where, count), count)
        return self.folder(where, count)


AXES = (
    Axis(
        "groups",
        NUM_GROUPS,
        "version.make_version",
        {
            "join the index": "index_cases.join_the_index",
            "look up, first on a machine": "index_cases.first_look_up",
            "look up": "index_cases.look_up",
            "stored order": "index_cases.stored_order",
            "shuffled": "index_cases.shuffled",
            "filtered and shuffled": "index_cases.filtered_and_shuffled",
            "cohorts uniform": "index_cases.uniform_cohorts",
            "cohorts by_size": "index_cases.cohorts_by_size",
            "checks of groups": "judge_cases.checks",
            "drift, same seed": "judge_cases.drift",
            "drift, another seed": "judge_cases.drift_of_another_seed",
            "dataset card": "judge_cases.card",
        },
    ),
    Axis(
        "shards",
        10_000,
        "shard_cases.make_manifest",
        {"manifest, written": "shard_cases.write_it", "manifest, opened": "shard_cases.open_it"},
    ),
    Axis(
        "versions in the registry",
        100_000,
        "registry_cases.make_registry",
        {
            "record": "registry_cases.record",
            "ask the registry": "registry_cases.ask",
            "all versions of all datasets": "registry_cases.list_all",
        },
    ),
    Axis(
        "versions of one dataset",
        10_000,
        "catalog_cases.make_catalog",
        {
            "catalog page": "catalog_cases.page",
            "versions": "catalog_cases.look",
            "publish": "catalog_cases.publish",
        },
    ),
)
CASES = {name: case for axis in AXES for name, case in axis.cases.items()}


def run(case: str, folder: Path) -> dict[str, Any]:
    """What a case finds, as JSON can hold it."""
    return {**asdict(_function(CASES[case])(folder)), "peak_bytes": peak_bytes()}


def _function(name: str) -> Any:
    module, _, function = name.partition(".")
    return getattr(importlib.import_module(f"benchmarks.fedc4_size.{module}"), function)


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], Path(sys.argv[2]))))
