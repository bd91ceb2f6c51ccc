"""Looks for the earlier version that the spec compares with."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from groupstream.dataset import Dataset
from groupstream.stores import Store
from pipelines.plan import Plan
from pipelines.previous import earlier_version


@task(name="find-earlier", task_run_name="find the version to compare with", cache_policy=NO_CACHE)
def find_earlier(plan: Plan, store: Store) -> Dataset | None:
    """The version, None where the spec compares with none, or where none is published yet."""
    drift = plan.spec.checks.drift
    return None if drift is None else earlier_version(store, plan.spec.name, drift.compare_to)
