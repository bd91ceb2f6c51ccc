"""All checks of a build, on what it made, before anything is published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from groupstream import CheckError, layout
from groupstream.dataset import Dataset
from groupstream.manifest import CheckResult, canonical_json
from partitioners.splits import SplitByGroup
from pipelines.draft import Draft
from pipelines.example_results import example_results
from pipelines.integrity import check_draft
from pipelines.plan import Plan
from pipelines.regroup_rule import regroup_rule
from validation.drift import check_drift, way_out
from validation.groups import check_groups


@dataclass(frozen=True)
class Checked:
    """What the checks found.

    Attributes:
        results: of every check, passed or not.
        data_docs: the same of the groups, as a page of Great Expectations.
        compared_to: the earlier version that the spec compares with, if there is one.
    """

    results: tuple[CheckResult, ...]
    data_docs: bytes
    compared_to: Dataset | None = None

    @property
    def failed(self) -> list[CheckResult]:
        """The checks that did not pass."""
        return [result for result in self.results if not result.passed]


def run_checks(plan: Plan, draft: Draft, earlier: Dataset | None) -> Checked:
    """Runs every check, also after one has failed.

    Args:
        earlier: the version that the spec compares with, if it does and there is one.
    """
    spec, dataset = plan.spec, draft.dataset
    exclusive = spec.splits is None or isinstance(spec.splits, SplitByGroup)
    rule = regroup_rule(spec)
    merged_ids = rule.merged_ids if rule and rule.too_small == "merge" else ()
    groups = check_groups(spec.checks.groups, dataset, exclusive=exclusive, merged_ids=merged_ids)
    drift = [] if spec.checks.drift is None else check_drift(spec.checks.drift, earlier, dataset)
    examples = example_results(spec.checks, draft.tally)
    return Checked((*examples, *groups.results, *drift, *check_draft(dataset)), groups.data_docs, earlier)


def refuse_failed(results: Sequence[CheckResult], report: str | None = None) -> None:
    """Refuses to publish what did not pass.

    Args:
        report: where it can be looked at.

    Raises:
        CheckError: a check failed; the message names the limit, what was found, and offenders.
    """
    failed = [result for result in results if not result.passed]
    if failed:
        ways_out = " ".join(filter(None, ["Mend the source or change checks.", way_out(failed)]))
        found = "; ".join(map(in_words, failed))
        where = "" if report is None else f"; the report is {report}/{layout.REPORT}"
        raise CheckError(f"{found}. Nothing is published{where}. {ways_out}", tuple(results), report)


def checks_json(results: Sequence[CheckResult]) -> bytes:
    """The content of `layout.CHECKS`."""
    return canonical_json([result.model_dump(mode="json") for result in results])


def in_words(result: CheckResult) -> str:
    """One result in a line."""
    offenders = f" ({', '.join(result.offenders)})" if result.offenders else ""
    return f"{result.name}: {result.observed}, the limit is {result.limit}{offenders}"
