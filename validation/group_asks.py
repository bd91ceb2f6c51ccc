"""What is asked of the groups, one by one, in words: each a bound of every group, or of a figure of all together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from groupstream.commands.printing import counted, cut, one_line
from validation.bounds import limit_in_words
from validation.group_blocks import SIZES
from validation.group_checks import GroupChecks, PercentileCheck
from validation.group_summary import GroupSummary

NUMBER_OF_GROUPS = "number of groups"
MISSING = "expected groups that are missing"


@dataclass(frozen=True)
class Ask:
    """One check.

    Attributes:
        name: in words; each is asked once.
        least, greatest: bounds of the value, inclusive.
        limit: the same in words.
        observed: what was found, in words.
        value: of all groups together; None where the bounds hold for the column of each group.
        column: of blocks, by which groups are named as offenders; "" where none is.
        blames: from which least value on, and up to which greatest, a group is none.
        describe: an offender's row of a block, in words.
        spared: hashes of groups that the bounds do not hold for.
    """

    name: str
    least: float | None
    greatest: float | None
    limit: str
    observed: Callable[[GroupSummary], str]
    value: Callable[[GroupSummary], float] | None = None
    column: str = ""
    blames: tuple[float | None, float | None] = (None, None)
    describe: Callable[[np.void], str] = str
    spared: tuple[bytes, ...] = ()

    def values(self, block: np.ndarray) -> np.ndarray:
        """What is asked of each group of a block; a group that is spared has the least that passes."""
        values = block[self.column]
        if not self.spared:
            return values
        passing = values.copy()
        passing[np.isin(block["hash"], np.array(self.spared, block["hash"].dtype))] = self.least
        return passing

    def badness(self, block: np.ndarray) -> np.ndarray:
        """How far the groups of a block are out of the bounds; positive for offenders."""
        values, (least, greatest) = self.values(block), self.blames
        below = -np.inf if least is None else least - values
        above = -np.inf if greatest is None else values - greatest
        return np.maximum(np.broadcast_to(below, values.shape), np.broadcast_to(above, values.shape))


def asks_of(checks: GroupChecks, *, exclusive: bool, num_expected: int, merged: tuple[bytes, ...] = ()) -> list[Ask]:
    """All that a spec asks.

    Args:
        exclusive: whether to ask that no group is in two splits.
        num_expected: how many ids are expected.
        merged: hashes of the groups that small ones were merged into: they may have any number of examples.
    """
    asks = [_number_of_groups(checks), _unique(), *([_one_split()] if exclusive else [])]
    for size in SIZES:
        least, greatest = getattr(checks, f"min_{size}"), getattr(checks, f"max_{size}")
        if least is not None or greatest is not None:
            asks.append(_per_group(f"{size} per group", size, least, greatest))
    if merged:
        asks = [_sparing(ask, merged, checks.merged_group) if ask.column == "examples" else ask for ask in asks]
    asks += {ask.name: ask for ask in map(_percentile, _tightest(checks.percentiles))}.values()
    if checks.min_labels is not None:
        asks.append(_per_group("labels per group", "labels", checks.min_labels, None))
    return [*asks, *_shares(checks), *([_expected(num_expected)] if num_expected else [])]


def percentile_key(check: PercentileCheck) -> tuple[str, float]:
    """Where the summary has it."""
    return check.of, check.percent


def number_in_words(value: float, *bounds: float | None) -> str:
    """In as few digits as show on which side of the bounds it is.

    >>> number_in_words(1 / 3), number_in_words(0.40001, None, 0.4), number_in_words(12345)
    ('0.333', '0.40001', '12,345')
    """
    if value == int(value):
        return f"{int(value):,}"
    known = [bound for bound in bounds if bound is not None]
    texts = (f"{value:.{digits}g}" for digits in range(3, 18))
    return next(t for t in texts if all(np.sign(float(t) - b) == np.sign(value - b) for b in known))


def _number_of_groups(checks: GroupChecks) -> Ask:
    return Ask(
        NUMBER_OF_GROUPS,
        checks.min_groups,
        checks.max_groups,
        limit_in_words(checks.min_groups, checks.max_groups),
        observed=lambda summary: f"{summary.num_groups:,}",
        value=lambda summary: summary.num_groups,
    )


def _unique() -> Ask:
    return Ask(
        "group ids are unique",
        None,
        0,
        "each once in a split",
        observed=lambda summary: f"{summary.num_repeated:,} twice or more",
        column="repeats",
        blames=(None, 0),
        describe=lambda group: f"{int(group['repeats'] + group['splits']):,} times",
    )


def _one_split() -> Ask:
    return Ask(
        "groups are in one split each",
        None,
        1,
        "at most 1 split",
        observed=lambda summary: f"{summary.num_in_several_splits:,} in several",
        column="splits",
        blames=(None, 1),
        describe=lambda group: f"in {counted(int(group['splits']), 'split')}",
    )


def _per_group(name: str, column: str, least: float | None, greatest: float | None) -> Ask:
    return Ask(
        name,
        least,
        greatest,
        limit_in_words(least, greatest),
        observed=lambda summary: f"{summary.least[column]:,} to {summary.greatest[column]:,}",
        column=column,
        blames=(least, greatest),
        describe=_sized(column),
    )


def _sparing(ask: Ask, merged: tuple[bytes, ...], name: str) -> Ask:
    return replace(ask, spared=merged, limit=f"{ask.limit}, but for '{cut(one_line(name), 40)}'")


def _percentile(check: PercentileCheck) -> Ask:
    key = percentile_key(check)
    return Ask(
        f"{check.percent:g} % of the groups have at most, in {check.of}",
        check.min,
        check.max,
        limit_in_words(check.min, check.max),
        observed=lambda summary: f"{summary.percentiles[key]:,}",
        value=lambda summary: summary.percentiles[key],
        column=check.of,
        blames=(check.min, check.max),
        describe=_sized(check.of),
    )


def _tightest(checks: tuple[PercentileCheck, ...]) -> Iterator[PercentileCheck]:
    """Checks of the same percentile as one."""
    by_key: dict[tuple[str, float], list[PercentileCheck]] = {}
    for check in checks:
        by_key.setdefault(percentile_key(check), []).append(check)
    for (size, percent), same in by_key.items():
        least = max((check.min for check in same if check.min is not None), default=None)
        greatest = min((check.max for check in same if check.max is not None), default=None)
        fields: dict[str, Any] = {"of": size, "percent": percent, "min": least, "max": greatest}
        yield PercentileCheck(**fields)


def _shares(checks: GroupChecks) -> Iterator[Ask]:
    if checks.max_share_of_largest is not None:
        ask = _share(
            "share of the largest group", checks.max_share_of_largest, lambda summary: summary.share_of_largest
        )
        yield replace(ask, column="examples", blames=(None, 0), describe=_sized("examples"))
    if checks.max_share_of_singletons is not None:
        name = "share of the groups with one example"
        ask = _share(name, checks.max_share_of_singletons, lambda summary: summary.share_of_singletons)
        yield replace(ask, column="examples", blames=(2, None), describe=_sized("examples"))
    if checks.max_label_distance is not None:
        name = "distance of labels from those of all"
        ask = _share(name, checks.max_label_distance, lambda summary: summary.label_distance)
        yield replace(ask, column="moved", blames=(None, 0), describe=_distant)


def _share(name: str, greatest: float, value: Callable[[GroupSummary], float]) -> Ask:
    limit = limit_in_words(None, greatest)
    return Ask(name, None, greatest, limit, lambda summary: number_in_words(value(summary), greatest), value)


def _distant(group: np.void) -> str:
    return f"at {group['moved'] / group['labelled']:.3g} with {counted(int(group['labelled']), 'example')}"


def _expected(num_expected: int) -> Ask:
    return Ask(
        MISSING,
        None,
        0,
        "none",
        observed=lambda summary: f"{summary.num_missing:,} of {num_expected:,}",
        value=lambda summary: summary.num_missing,
    )


def _sized(column: str) -> Callable[[np.void], str]:
    return lambda group: f"with {counted(int(group[column]), column.removesuffix('s'))}"
