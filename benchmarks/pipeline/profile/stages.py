"""One build, whole, in this process: every step that the flow takes, without Prefect; seconds of each stage.

Inside the pipeline the stages are told apart by what its workers report anyway: their progress.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.pipeline.profile.found import STAGES
from groupstream.commit import commit_version
from groupstream.stores import open_store
from pipelines.checks import refuse_failed, run_checks
from pipelines.claims import claim_number
from pipelines.draft import draft_version
from pipelines.partition import partition
from pipelines.plan import make_plan
from pipelines.progress import Progress, read_progress
from pipelines.staging import staging_area
from pipelines.versions import describe_version
from specs import Spec

_PERIOD_SECONDS = 0.02


@dataclass(frozen=True)
class Built:
    """A version that was built.

    Attributes:
        seconds: of each stage.
        stored_bytes: of its shards.
        shards: its files, as long as they are there.
    """

    seconds: dict[str, float]
    num_examples: int
    num_groups: int
    stored_bytes: int
    shards: list[Path]


def build_whole(root: Path, spec: dict[str, Any]) -> Built:
    """Builds and publishes below `root`."""
    times = [time.perf_counter()]

    def ended() -> None:
        times.append(time.perf_counter())

    store = open_store(str(root))
    plan = make_plan(Spec.model_validate(spec, extra="forbid"))
    ended()
    with staging_area(root) as staging:
        assert staging.progress is not None
        with Milestones(staging.progress) as milestones:
            partitioned = partition(plan, staging)
        times += milestones.times
        ended()
        drafted = draft_version(plan, partitioned, store)
        checked = run_checks(plan, drafted, None)
        refuse_failed(checked.results)
        ended()
        number = claim_number(plan, store, {}, drafted)
        version = describe_version(drafted, checked, number.version, store)
        ended()
        folder = f"{plan.spec.name}/{number.version}"
        commit_version(store, folder, version.manifest, version.files)
        ended()
    seconds = {stage: end - begin for stage, begin, end in zip(STAGES, times[:-1], times[1:], strict=True)}
    [split] = version.manifest.splits.values()
    shards = [root / folder / shard.path for shard in split.shards]
    stored_bytes = sum(shard.size_bytes for shard in split.shards)
    return Built(seconds, split.statistics.num_examples, split.statistics.num_groups, stored_bytes, shards)


class Milestones:
    """When a pipeline had read its first batch, had spilled all, and had written the last shard."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.times: list[float] = []

    def __enter__(self) -> Milestones:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        is_last = False
        while not is_last and len(self.times) < 3:
            is_last = self._is_over.wait(_PERIOD_SECONDS)  # and once more, for what nobody looked at in time
            passed = _num_passed(read_progress(self._folder))
            self.times += [time.perf_counter()] * (passed - len(self.times))


def _num_passed(now: Progress) -> int:
    """How many milestones a build has passed.

    >>> _num_passed(Progress()), _num_passed(Progress(examples=5, num_shards=2, shards=1))
    (0, 2)
    """
    return (now.examples > 0) + (now.num_shards > 0) + (now.num_shards > 0 and now.shards >= now.num_shards)
