"""Checks what was built before anything is published."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from pipelines.checks import run_checks

check = task(name="check", task_run_name="check the groups and files", cache_policy=NO_CACHE)(run_checks)
