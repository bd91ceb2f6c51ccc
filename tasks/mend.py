"""Compares a store with itself and with the registry, and mends it."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from lifecycle.doctor import examine
from tasks.retrying import is_transient

mend = task(
    name="mend",
    task_run_name="mend the store",
    retries=2,
    retry_delay_seconds=10,
    retry_condition_fn=is_transient,
    cache_policy=NO_CACHE,
)(examine)
