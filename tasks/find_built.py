"""Looks for a version that the plan would only build again."""

from prefect import task
from prefect.cache_policies import NO_CACHE

import groupstream
from groupstream.dataset import Dataset
from groupstream.stores import Store
from pipelines.claims import find_built as find_version
from pipelines.plan import Plan


@task(name="find-built", task_run_name="find the same version", cache_policy=NO_CACHE)
def find_built(plan: Plan, store: Store) -> Dataset | None:
    """The published version of the same spec and source, if there is one."""
    version = find_version(plan, store)
    return groupstream.open(f"{plan.spec.name}@{version}", store.root) if version else None
