"""Draws the catalog page of the store anew."""

from __future__ import annotations

import logging

from prefect import task
from prefect.cache_policies import NO_CACHE

from catalog import rebuild_catalog
from groupstream import GroupstreamError
from groupstream.stores import Store


@task(name="catalog", task_run_name="draw the catalog page", cache_policy=NO_CACHE)
def update_catalog(store: Store) -> str | None:
    """The address of the page. A version is published without it too: what goes wrong is said in the log."""
    try:
        return rebuild_catalog(store)
    except (GroupstreamError, OSError) as error:
        logging.getLogger("groupstream").warning("the catalog stays as it was; try groupstream catalog: %s", error)
        return None
