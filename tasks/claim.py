"""Claims the number of the new version, and says why it is this one."""

import logging
from collections.abc import Mapping
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from groupstream.stores import Store
from pipelines.claims import Number, claim_number
from pipelines.draft import Draft
from pipelines.plan import Plan

_LOG = logging.getLogger("groupstream")


@task(name="claim", cache_policy=NO_CACHE)
def claim(plan: Plan, store: Store, run: Mapping[str, Any], draft: Draft) -> Number:
    """The number that the version gets."""
    number = claim_number(plan, store, run, draft)
    _LOG.info("%s@%s: %s", plan.spec.name, number.version, number.why)
    return number
