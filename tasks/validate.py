"""Checks the groups before anything is published."""

import pyarrow as pa
import pyarrow.parquet as pq
from prefect import task
from prefect.cache_policies import NO_CACHE

from groupstream import CheckError
from groupstream.manifest import CheckResult
from pipelines.partition import Partitioned
from pipelines.plan import Plan
from validation.groups import check_groups


@task(name="validate", cache_policy=NO_CACHE)
def validate(plan: Plan, partitioned: Partitioned) -> list[CheckResult]:
    """All checks of groups.

    Raises:
        CheckError: one failed; the message names the limit, what was found, and offenders.
    """
    columns = ["group_id", "group_hash", "num_examples"]
    tables = [pq.read_table(split.group_table, columns=columns) for split in partitioned.splits.values()]
    results = check_groups(plan.spec.checks.groups, pa.concat_tables(tables))
    if failed := [r for r in results if not r.passed]:
        raise CheckError(
            "; ".join(map(_in_words, failed)) + ". Nothing is published; change the partitioner or checks.groups"
        )
    return results


def _in_words(result: CheckResult) -> str:
    offenders = f" ({', '.join(result.offenders)})" if result.offenders else ""
    return f"{result.name}: {result.observed}, the limit is {result.limit}{offenders}"
