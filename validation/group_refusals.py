"""Checks of groups that could never pass, or could not be run: refused before any data is read."""

from __future__ import annotations

from groupstream import SpecError
from validation.expected_groups import ExpectedGroups
from validation.group_checks import GroupChecks


def refuse_impossible_group_checks(checks: GroupChecks, *, has_labels: bool) -> None:
    """Refuses what a build of this plan could not check. `GroupChecks` itself refuses limits that contradict.

    Args:
        has_labels: whether the labels of groups are counted.

    Raises:
        SpecError: it asks for labels where there are none, or for ids in a file that cannot be read, or for more ids
            than max_groups.
    """
    for name in ("max_label_distance", "min_labels"):
        if getattr(checks, name) is not None and not has_labels:
            raise SpecError(
                f"checks.groups.{name} is {getattr(checks, name)}, but the labels of groups are not counted: set "
                "label_feature, or leave it out"
            )
    num_expected = len(ExpectedGroups(checks, seed=0))
    if checks.max_groups is not None and num_expected > checks.max_groups:
        raise SpecError(
            f"checks.groups.expected and expected_file name {num_expected:,} groups, more than max_groups "
            f"{checks.max_groups:,}; raise it"
        )
