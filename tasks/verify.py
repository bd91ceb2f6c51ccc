"""Reads some versions again, other ones each day, and compares them with their manifests."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from typing import NamedTuple

from prefect import task
from prefect.cache_policies import NO_CACHE

import groupstream
from groupstream import GroupstreamError, StoreError
from groupstream.deprecation import DeprecatedVersionWarning
from groupstream.manifest import CheckResult
from groupstream.stores import Store
from groupstream.verify import check_files
from lifecycle.sampling import due_refs, published_refs
from tasks.retrying import is_transient


class Verified(NamedTuple):
    """A version that was read again, and what that found."""

    ref: str
    results: list[CheckResult]

    @property
    def passed(self) -> bool:
        """Whether it is as it was written."""
        return all(result.passed for result in self.results)


@task(
    name="verify",
    task_run_name="verify the versions that are due",
    retries=2,
    retry_delay_seconds=10,
    retry_condition_fn=is_transient,
    cache_policy=NO_CACHE,
)
def verify(store: Store, count: int, sample_bytes: int) -> list[Verified]:
    """Verifies those that are due today, of each at most so many bytes of its shards."""
    due = due_refs(published_refs(store), datetime.now(UTC).date(), count)
    return [Verified(ref, _results(store, ref, sample_bytes)) for ref in due]


@task(
    name="verify-whole",
    task_run_name="verify {ref}",
    retries=2,
    retry_delay_seconds=10,
    retry_condition_fn=is_transient,
    cache_policy=NO_CACHE,
)
def verify_whole(store: Store, ref: str) -> Verified:
    """Verifies one version: every byte of it is read. Raises what opening it raises."""
    with warnings.catch_warnings(action="ignore", category=DeprecatedVersionWarning):
        return Verified(ref, check_files(groupstream.open(ref, store.root), full=True))


def _results(store: Store, ref: str, sample_bytes: int) -> list[CheckResult]:
    """One failed check where the version cannot even be opened."""
    try:
        with warnings.catch_warnings(action="ignore", category=DeprecatedVersionWarning):
            return check_files(groupstream.open(ref, store.root), full=False, sample_bytes=sample_bytes)
    except StoreError:
        raise
    except GroupstreamError as error:
        limit = "a version that can be opened"
        return [CheckResult(kind="files", name="manifest", limit=limit, observed=str(error), passed=False)]
