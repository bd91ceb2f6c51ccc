"""Names the files of a version and draws its card."""

from pipelines.versions import describe_version
from prefect import task
from prefect.cache_policies import NO_CACHE

describe = task(describe_version, name="describe", cache_policy=NO_CACHE)
