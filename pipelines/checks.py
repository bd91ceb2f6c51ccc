"""All checks of a build, on what it made, before anything is published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from groupstream import CheckError
from groupstream.manifest import CheckResult
from groupstream.stores import Store
from partitioners.splits import SplitByGroup
from pipelines.draft import Draft
from pipelines.plan import Plan
from validation.groups import check_groups


@dataclass(frozen=True)
class Checked:
    """What the checks found.

    Attributes:
        results: of every check, passed or not.
        data_docs: the same of the groups, as a page of Great Expectations.
    """

    results: tuple[CheckResult, ...]
    data_docs: bytes

    @property
    def failed(self) -> list[CheckResult]:
        """The checks that did not pass."""
        return [result for result in self.results if not result.passed]


def run_checks(plan: Plan, draft: Draft, store: Store) -> Checked:
    """Runs every check, also after one has failed.

    Args:
        store: where earlier versions are.
    """
    exclusive = plan.spec.splits is None or isinstance(plan.spec.splits, SplitByGroup)
    groups = check_groups(plan.spec.checks.groups, draft.dataset, exclusive=exclusive)
    return Checked(tuple(groups.results), groups.data_docs)


def refuse_failed(results: Sequence[CheckResult]) -> None:
    """Refuses to publish what did not pass.

    Raises:
        CheckError: a check failed; the message names the limit, what was found, and offenders.
    """
    if failed := [result for result in results if not result.passed]:
        raise CheckError("; ".join(map(in_words, failed)) + ". Nothing is published; mend the source or change checks")


def in_words(result: CheckResult) -> str:
    """One result in a line."""
    offenders = f" ({', '.join(result.offenders)})" if result.offenders else ""
    return f"{result.name}: {result.observed}, the limit is {result.limit}{offenders}"
