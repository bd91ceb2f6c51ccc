"""Holds a spec against what this deployment allows, before anything is touched."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from specs.policy import refuse_forbidden

admit = task(name="admit", task_run_name="admit the spec", cache_policy=NO_CACHE)(refuse_forbidden)
