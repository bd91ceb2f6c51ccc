"""Claims the number of the new version, and says why it is this one."""

from collections.abc import Mapping
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from groupstream.stores import Store
from pipelines.claims import Number, claim_number
from pipelines.draft import Draft
from pipelines.plan import Plan
from tasks.reporting import reporter


@task(name="claim", task_run_name="claim the version number", cache_policy=NO_CACHE)
def claim(plan: Plan, store: Store, run: Mapping[str, Any], draft: Draft) -> Number:
    """The number that the version gets."""
    show, num_read = reporter.get(), 0
    num_groups = sum(split.statistics.num_groups for split in draft.manifest.splits.values())

    def on_groups(count: int) -> None:
        nonlocal num_read
        num_read += count
        expected = max(num_read, 2 * num_groups)  # of the draft, and about as many of the version before it
        show.stage_progressed("Number", num_read, expected, f"{num_read:,} groups compared")

    number = claim_number(plan, store, run, draft, on_groups)
    get_run_logger().info("%s@%s: %s", plan.spec.name, number.version, number.why)
    return number
