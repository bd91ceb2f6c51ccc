"""Claims the number of the new version."""

from pipelines.versions import claim_number
from prefect import task
from prefect.cache_policies import NO_CACHE

claim = task(claim_number, name="claim", cache_policy=NO_CACHE)
