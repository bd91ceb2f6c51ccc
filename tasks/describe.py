"""Names the files of a version and draws its card."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from pipelines.versions import describe_version

describe = task(name="describe", task_run_name="describe the version and draw its card", cache_policy=NO_CACHE)(
    describe_version
)
