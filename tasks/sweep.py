"""Removes what builds that died left in their staging areas."""

from __future__ import annotations

import logging
from typing import NamedTuple

from prefect import task
from prefect.cache_policies import NO_CACHE

from groupstream import GroupstreamError
from groupstream.stores import Store
from pipelines.plan import Plan
from pipelines.staging import sweep as sweep_staging

_HOUR_SECONDS = 3600.0

_log = logging.getLogger("groupstream")


class Swept(NamedTuple):
    """The staging areas that went, and why others could not, if so."""

    areas: list[str]
    errors: list[str]


@task(name="sweep", task_run_name="sweep what dead builds left", cache_policy=NO_CACHE)
def sweep(store: Store, keep_hours: float) -> Swept:
    """Sweeps the staging areas of a store. What a living build holds stays, whatever its age.

    Args:
        keep_hours: for how long what a dead build finished stays for who builds the same again; 0: not at all.
    """
    try:
        areas = sweep_staging(store, keep_hours * _HOUR_SECONDS)
    except GroupstreamError as error:
        return Swept([], [str(error)])
    for area in areas:
        _log.info("swept the staging area of a dead build: %s", area)
    return Swept(areas, [])


def sweep_published(plan: Plan, store: Store) -> None:
    """Sweeps what dead builds of a version left that is published by now: nobody goes on with it."""
    try:
        areas = sweep_staging(store, 0.0, wanted=plan.spec.runner.staging, digest=plan.digest)
    except GroupstreamError as error:
        _log.warning("what a dead build of this version left is not swept: %s", error)
    else:
        for area in areas:
            _log.info("swept the staging area of a dead build of this version: %s", area)
