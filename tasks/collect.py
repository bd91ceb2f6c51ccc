"""Deletes what nothing keeps, or only plans it."""

from __future__ import annotations

from typing import NamedTuple

from prefect import task
from prefect.cache_policies import NO_CACHE

from groupstream import GroupstreamError
from groupstream.stores import Store
from lifecycle.collection import Collected, CollectionPlan, plan_collection
from lifecycle.collection import collect as collect_planned
from lifecycle.retention import RetentionPolicy
from registry import Registry


class Collection(NamedTuple):
    """What was planned, and what came of it: nothing in a dry run, or where nothing could be planned."""

    plan: CollectionPlan
    done: list[Collected]
    errors: list[str]


@task(name="collect", task_run_name="collect what nothing keeps", cache_policy=NO_CACHE)
def collect(store: Store, registry: Registry | None, policy: RetentionPolicy, delete: bool) -> Collection:
    """Plans by the policy; does it where `delete` is given. What fails is told, and the rest is done."""
    try:
        plan = plan_collection(store, registry, policy)
    except GroupstreamError as error:
        return Collection(CollectionPlan([], [], []), [], [str(error)])
    done = list(collect_planned(store, registry, plan, policy)) if delete else []
    return Collection(plan, done, [each.error for each in done if each.error is not None])
