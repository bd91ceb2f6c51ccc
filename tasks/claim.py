"""Claims the number of the new version."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from pipelines.claims import claim_number

claim = task(name="claim", cache_policy=NO_CACHE)(claim_number)
