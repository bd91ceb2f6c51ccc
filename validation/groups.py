"""Checks of groups: a Great Expectations suite built from the spec, run on the group tables of all splits.

They are read a part at a time, once, and once more where a percentile of large sizes is asked for. Memory does not grow
with the number of groups, but for 25 bytes of each id that is expected, and each different label once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from groupstream.dataset import Dataset, Split
from groupstream.group_order import hash_group_ids
from groupstream.manifest import CheckResult
from validation.data_docs import data_docs
from validation.expected_groups import ExpectedGroups
from validation.group_asks import MISSING, NUMBER_OF_GROUPS, Ask, asks_of, percentile_key
from validation.group_blocks import BLOCK_GROUPS, group_blocks
from validation.group_checks import GroupChecks
from validation.group_labels import labels_of
from validation.group_offenders import MAX_OFFENDERS, Offenders, shown_name
from validation.group_percentiles import SizeCounts, exact_sizes, rank_of
from validation.group_suite import GroupSuite
from validation.group_summary import GroupSummary


@dataclass(frozen=True)
class GroupOutcome:
    """What the checks of groups found.

    Attributes:
        data_docs: a page of Great Expectations, in UTF-8; the same bytes for the same groups and checks.
    """

    results: list[CheckResult]
    data_docs: bytes


def check_groups(
    checks: GroupChecks,
    dataset: Dataset,
    *,
    exclusive: bool,
    merged_ids: Sequence[bytes] = (),
    block_groups: int = BLOCK_GROUPS,
) -> GroupOutcome:
    """Runs all group checks, on the groups of all splits together. The dataset need not be published.

    A group that is in several splits counts once, with its examples of all. Of no groups, only their number is asked
    and what is expected.

    Args:
        exclusive: whether a group may be in one split only.
        merged_ids: of the groups that small ones were merged into. They may have any number of examples.
        block_groups: how many groups Great Expectations gets at a time.

    Returns:
        One result a check, passed or not; offenders are the groups that are farthest beyond a limit.

    Raises:
        CorruptError: a table is damaged.
        SpecError: labels are asked about, and a split has no label table.
    """
    splits = [dataset[name] for name in dataset]
    expected = ExpectedGroups(checks, dataset.manifest.seed)
    merged = tuple(map(bytes, hash_group_ids(merged_ids, dataset.manifest.seed)))
    asks = asks_of(checks, exclusive=exclusive and len(splits) > 1, num_expected=len(expected), merged=merged)
    if not any(split.num_groups for split in splits):
        asks = [ask for ask in asks if ask.name in (NUMBER_OF_GROUPS, MISSING)]
    suite, offenders = GroupSuite(asks), {ask.name: Offenders(ask) for ask in asks if ask.column}
    summary = _read(checks, splits, expected, [suite.add, *(worst.add for worst in offenders.values())], block_groups)
    found = suite.finish(summary)
    named = {name: worst.in_words(splits) for name, worst in offenders.items() if not found[name].success}
    if expected.num_missing:
        named[MISSING] = tuple(f"'{shown_name(group_id)}'" for group_id in expected.missing(MAX_OFFENDERS))
    results = [_result(ask, summary, bool(found[ask.name].success), named.get(ask.name, ())) for ask in asks]
    return GroupOutcome(results, data_docs(results, found))


def _read(
    checks: GroupChecks,
    splits: Sequence[Split],
    expected: ExpectedGroups,
    takers: Sequence[Callable[[np.ndarray], None]],
    block_groups: int,
) -> GroupSummary:
    """Reads all groups, gives each block to those that take it, and sums them up."""
    asks_for_labels = checks.max_label_distance is not None or checks.min_labels is not None
    labels = labels_of(splits) if asks_for_labels else None
    summary = GroupSummary()
    counts: dict[str, SizeCounts] = {check.of: SizeCounts() for check in checks.percentiles}
    for block in group_blocks(splits, labels, block_groups):
        for take in (*takers, summary.add):
            take(block)
        expected.find(block["hash"])
        for size, counted in counts.items():
            counted.add(block[size])
    summary.num_missing = expected.num_missing
    if summary.num_groups:
        summary.percentiles = _percentiles(checks, counts, summary.num_groups, group_blocks(splits))
    return summary


def _percentiles(
    checks: GroupChecks, counts: Mapping[str, SizeCounts], num_groups: int, blocks: Iterable[np.ndarray]
) -> dict[tuple[str, float], int]:
    ranges = [counts[c.of].range_at(rank_of(c.percent, num_groups), c.of) for c in checks.percentiles]
    return dict(zip(map(percentile_key, checks.percentiles), exact_sizes(ranges, blocks), strict=True))


def _result(ask: Ask, summary: GroupSummary, passed: bool, offenders: tuple[str, ...]) -> CheckResult:
    return CheckResult(
        kind="groups",
        name=ask.name,
        limit=ask.limit,
        observed=ask.observed(summary),
        passed=passed,
        offenders=offenders,
    )
