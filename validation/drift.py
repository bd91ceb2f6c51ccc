"""Drift checks: how far a version may be from an earlier one before the build stops and asks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from groupstream import SpecError
from groupstream.dataset import Dataset
from groupstream.differences import Change
from groupstream.manifest import CheckResult
from groupstream.version_differences import feature_changes
from validation.bounds import limit_in_words
from validation.drift_checks import DriftChecks
from validation.drift_pair import MAX_OFFENDERS, DriftPair
from validation.drift_words import as_figure, as_percentage, change_in_words, feature_in_words, label_in_words

Offenders = Callable[[], list[str]]


@dataclass(frozen=True)
class _Finding:
    """What one check found.

    Attributes:
        name: what was compared.
        limit: in words.
        observed: with the figures of both versions.
        exceeds: whether it is beyond the limit.
        offenders: makes their list, which may need to read an index again.
    """

    name: str
    limit: str
    observed: str
    exceeds: bool
    offenders: Offenders = field(default=list)


def refuse_impossible_drift(checks: DriftChecks | None, has_labels: bool) -> None:
    """Refuses drift checks that no version could answer.

    Args:
        has_labels: whether the labels of the examples are counted.

    Raises:
        SpecError: a limit for labels, and there are none.
    """
    if checks is not None and checks.max_label_distance is not None and not has_labels:
        raise SpecError(
            f"checks.drift.max_label_distance is {checks.max_label_distance:g}, but no feature is the label; "
            "name it with label_feature, or leave the limit out"
        )


def check_drift(checks: DriftChecks, before: Dataset | None, after: Dataset) -> list[CheckResult]:
    """Holds a version against an earlier one: a result for every limit that is set, and one for the features.

    Args:
        before: the earlier version; None where there is none yet.
        after: the new one, published or not.

    Raises:
        CorruptError: a table of either is not what was written.
    """
    if before is None:
        limit, observed = f"compared with {checks.compare_to}", "none is published yet"
        return [CheckResult(kind="drift", name="earlier version", limit=limit, observed=observed, passed=True)]
    pair = DriftPair(before, after)
    return [_result(finding, checks.accept) for find in _FINDINGS for finding in find(checks, pair)]


def way_out(results: Sequence[CheckResult]) -> str:
    """What to do about drift that stopped a build, in a sentence; nothing where none did."""
    if all(result.passed or result.kind != "drift" for result in results):
        return ""
    return (
        "The report of this run shows what changed since the earlier version; if the new data is right, publish it "
        "with --set checks.drift.accept=true, and groupstream diff shows the rest"
    )


def _result(finding: _Finding, accept: bool) -> CheckResult:
    accepted = finding.exceeds and accept
    return CheckResult(
        kind="drift",
        name=finding.name,
        limit=finding.limit,
        observed=f"accepted although beyond the limit: {finding.observed}" if accepted else finding.observed,
        passed=accepted or not finding.exceeds,
        offenders=tuple(finding.offenders()[:MAX_OFFENDERS]) if finding.exceeds else (),
    )


def _finding(name: str, value: float, limit: float, counted: str, offenders: Offenders) -> _Finding:
    """Of a value that may be at most `limit`."""
    observed = f"{as_figure(value, limit)} ({counted})"
    at_most = int(limit) if limit.is_integer() else limit  # 0, not 0.0
    return _Finding(name, limit_in_words(None, at_most), observed, value > limit, offenders)


def _num_groups(checks: DriftChecks, pair: DriftPair) -> Iterator[_Finding]:
    limit = checks.max_groups_change
    if limit is not None:
        groups = pair.groups
        changed = [*groups.differences.largest_added, *groups.differences.largest_removed]
        yield _finding(
            "change in the number of groups",
            _share(abs(groups.num_after - groups.num_before), groups.num_before),
            limit,
            f"{groups.num_before:,} in {pair.before_ref}, {groups.num_after:,} now",
            _changes(pair, sorted(changed, reverse=True)),
        )


def _num_examples(checks: DriftChecks, pair: DriftPair) -> Iterator[_Finding]:
    limit = checks.max_examples_change
    if limit is not None:
        before, after = pair.num_examples
        yield _finding(
            "change in the number of examples",
            _share(abs(after - before), before),
            limit,
            f"{before:,} in {pair.before_ref}, {after:,} now",
            lambda: _changes(pair, pair.groups.differences.largest)(),
        )


def _removed(checks: DriftChecks, pair: DriftPair) -> Iterator[_Finding]:
    limit = checks.max_groups_removed
    if limit is not None:
        groups, found = pair.groups, pair.groups.differences
        yield _finding(
            "groups gone, as a share of the earlier ones",
            _share(found.removed, groups.num_before),
            limit,
            f"{found.removed:,} of {groups.num_before:,} in {pair.before_ref}",
            _changes(pair, found.largest_removed),
        )


def _added(checks: DriftChecks, pair: DriftPair) -> Iterator[_Finding]:
    limit = checks.max_groups_added
    if limit is not None:
        groups, found = pair.groups, pair.groups.differences
        yield _finding(
            "new groups, as a share of the earlier ones",
            _share(found.added, groups.num_before),
            limit,
            f"{found.added:,} new, {groups.num_before:,} in {pair.before_ref}",
            _changes(pair, found.largest_added),
        )


def _sizes(checks: DriftChecks, pair: DriftPair) -> Iterator[_Finding]:
    limit = checks.max_size_distance
    if limit is not None:
        found = pair.groups.sizes
        before, after = as_percentage(found.share_before), as_percentage(found.share_after)
        yield _finding(
            "distance between the sizes of groups",
            found.distance,
            limit,
            f"groups of at most {found.size:,} examples are {before} in {pair.before_ref}, {after} now",
            _changes(pair, pair.groups.differences.largest),
        )


def _labels(checks: DriftChecks, pair: DriftPair) -> Iterator[_Finding]:
    limit = checks.max_label_distance
    if limit is not None:
        found = pair.labels
        yield _finding(
            "distance between the labels of all examples",
            found.distance,
            limit,
            f"{found.num_before:,} examples with a label in {pair.before_ref}, {found.num_after:,} now",
            lambda: [label_in_words(change, found) for change in found.largest],
        )


def _features(checks: DriftChecks, pair: DriftPair) -> Iterator[_Finding]:
    changes = feature_changes(pair.before, pair.after)
    counted = [f"{len(named)} {kind}" for kind, named in changes.items() if named]
    refused = {"same": ("added", "removed", "changed"), "may_grow": ("removed", "changed"), "any": ()}[checks.features]
    yield _Finding(
        "features",
        {"same": "the same", "may_grow": "none removed or changed", "any": "any"}[checks.features],
        f"{', '.join(counted) or f'the same {len(pair.after.features)}'} since {pair.before_ref}",
        any(changes[kind] for kind in refused),
        lambda: [feature_in_words(kind, name, value) for kind in refused for name, value in changes[kind].items()],
    )


def _splits(checks: DriftChecks, pair: DriftPair) -> Iterator[_Finding]:
    """Nothing limits them; but who reads the figures above must know that they are over other splits."""
    before, after = list(pair.before), list(pair.after)
    if set(before) != set(after):
        observed = f"{', '.join(before)} in {pair.before_ref}, {', '.join(after)} now; all are counted together"
        yield _Finding("splits", "any", observed, exceeds=False)


_FINDINGS = (_num_groups, _num_examples, _removed, _added, _sizes, _labels, _features, _splits)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.inf if part else 0.0


def _changes(pair: DriftPair, changes: Sequence[Change]) -> Offenders:
    def in_words() -> list[str]:
        most = changes[:MAX_OFFENDERS]
        return [change_in_words(*both) for both in zip(most, pair.ids_of(most), strict=True)]

    return in_words
