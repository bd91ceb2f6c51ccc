"""Names and describes what the pipeline made."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from pipelines.draft import draft_version

draft = task(name="draft", task_run_name="draft the manifest", cache_policy=NO_CACHE)(draft_version)
