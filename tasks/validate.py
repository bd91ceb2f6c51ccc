"""Checks the groups before anything is published."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from groupstream import CheckError
from groupstream.manifest import CheckResult
from pipelines.partition import Partitioned, sizes_of_groups
from pipelines.plan import Plan
from validation.groups import check_groups


@task(name="validate", cache_policy=NO_CACHE)
def validate(plan: Plan, partitioned: Partitioned) -> list[CheckResult]:
    """All checks of groups.

    Raises:
        CheckError: one failed; the message names the limit, what was found, and offenders.
    """
    results = check_groups(plan.spec.checks.groups, sizes_of_groups(plan, partitioned))
    if failed := [r for r in results if not r.passed]:
        raise CheckError(
            "; ".join(map(_in_words, failed)) + ". Nothing is published; change the partitioner or checks.groups"
        )
    return results


def _in_words(result: CheckResult) -> str:
    offenders = f" ({', '.join(result.offenders)})" if result.offenders else ""
    return f"{result.name}: {result.observed}, the limit is {result.limit}{offenders}"
