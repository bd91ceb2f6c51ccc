"""What a spec can ask of the groups, and what becomes of those that are too small or too large."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from validation.bounds import refuse_empty_ranges

SizeOf = Literal["examples", "bytes", "words"]


class PercentileCheck(BaseModel):
    """Bounds for the size that a percentage of the groups does not exceed."""

    model_config = ConfigDict(frozen=True, title="Percentile")

    of: SizeOf = Field("examples", description="What is counted in each group.")
    percent: float = Field(ge=0, le=100, description="Of the groups: 50 is the median, 90 all but the largest tenth.")
    min: int | None = Field(None, ge=0, description="Least size there.")
    max: int | None = Field(None, ge=0, description="Greatest size there.")

    @model_validator(mode="after")
    def _bounds_in_order(self) -> PercentileCheck:
        if self.min is None and self.max is None:
            raise ValueError("it has neither min nor max, so it asks for nothing; give one")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}, so nothing could pass")
        return self


class _Bound(NamedTuple):
    """Bounds of the size at a percentage of the groups, and their name in the spec."""

    percent: float
    least: int | None
    greatest: int | None
    name: str


def _refuse_crossing(bounds: Sequence[_Bound], size: SizeOf) -> None:
    """Sizes ascend with the percentage, so a lower one may not be asked to be above a higher one."""
    for low, high in itertools.product(bounds, bounds):
        if low.percent > high.percent or low.least is None or high.greatest is None:
            continue
        if low.least > high.greatest:
            raise ValueError(
                f"{low.name} asks for at least {low.least:,}, {high.name} for at most {high.greatest:,}, but sizes "
                "ascend with the percentage, so nothing could pass"
            )


class GroupChecks(BaseModel):
    """What must hold for the groups."""

    model_config = ConfigDict(frozen=True, title="Checks of groups")

    min_groups: int = Field(1, ge=0, description="Fewest groups the dataset may have.")
    max_groups: int | None = Field(None, ge=1, description="Most groups the dataset may have.")
    min_examples: int = Field(1, ge=1, description="Fewest examples a group may have.")
    max_examples: int | None = Field(None, ge=1, description="Most examples a group may have.")
    too_small: Literal["fail", "drop", "merge"] = Field(
        "fail",
        description="What to do with a group below min_examples: fail the build, drop it and count its examples, or "
        "merge all of them into one group.",
    )
    merged_group: str = Field(
        "(small groups)",
        min_length=1,
        description="The id of that one group, with too_small: merge. Where groups are split between several splits, "
        "the name of the split follows: (small groups) of train.",
    )
    too_large: Literal["fail", "drop", "cap", "split"] = Field(
        "fail",
        description="What to do with a group above max_examples: fail the build, drop it and count its examples, keep "
        "max_examples of its examples (a random choice that follows from the seed and the group's id; the others are "
        "counted), or split it into groups of at most as many, id#1, id#2, ...",
    )
    min_bytes: int | None = Field(None, ge=0, description="Fewest bytes a group may have, of its serialised examples.")
    max_bytes: int | None = Field(None, ge=1, description="Most bytes a group may have, of its serialised examples.")
    min_words: int | None = Field(None, ge=0, description="Fewest words a group may have.")
    max_words: int | None = Field(None, ge=0, description="Most words a group may have.")
    percentiles: tuple[PercentileCheck, ...] = Field((), description="Bounds for percentiles of the sizes of groups.")
    max_share_of_largest: float | None = Field(
        None, gt=0, le=1, description="Greatest share of all examples that one group may have; 1 allows everything."
    )
    max_share_of_singletons: float | None = Field(
        None, ge=0, le=1, description="Greatest share of the groups that may have one example only, 0 to 1."
    )
    max_label_distance: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Greatest label skew: the mean, over groups weighted by their examples, of the total variation "
        "distance between the labels of a group and those of all; 0 where all are alike, towards 1 where each group "
        "has labels of its own.",
    )
    min_labels: int | None = Field(None, ge=1, description="Fewest different labels that a group may have.")
    expected: tuple[str, ...] = Field((), description="Ids of groups that must be there.")
    expected_file: str | None = Field(
        None,
        description="A text file with more of them, one id a line. Its path is no part of a version.",
    )

    @model_validator(mode="after")
    def _make_sense_together(self) -> GroupChecks:
        refuse_empty_ranges(self)
        if self.too_large != "fail" and self.max_examples is None:
            raise ValueError(f"too_large is {self.too_large!r}, but no group is too large without max_examples; set it")
        if self.too_small != "fail" and self.min_examples == 1:
            raise ValueError(f"too_small is {self.too_small!r}, but no group has less than min_examples 1; raise it")
        if (
            self.too_large == "split"
            and self.max_examples is not None
            and self.max_examples < 2 * self.min_examples - 1
        ):
            raise ValueError(
                f"too_large is 'split' at max_examples {self.max_examples}, which makes groups below min_examples "
                f"{self.min_examples}; set max_examples to {2 * self.min_examples - 1} or more"
            )
        if len(self.expected) > (self.max_groups or len(self.expected)):
            raise ValueError(
                f"expected names {len(self.expected):,} groups, more than max_groups {self.max_groups:,}; raise it"
            )
        self._refuse_impossible_shares()
        for size in get_args(SizeOf):
            _refuse_crossing(self._bounds_of(size), size)
        return self

    def _refuse_impossible_shares(self) -> None:
        if self.max_groups is not None and (self.max_share_of_largest or 1) * self.max_groups < 1:
            raise ValueError(
                f"max_share_of_largest {self.max_share_of_largest} needs more groups than max_groups {self.max_groups} "
                "allows, since the largest of so many has more; raise one of them"
            )
        if self.max_examples is not None and (self.min_labels or 0) > self.max_examples:
            raise ValueError(
                f"min_labels {self.min_labels} is above max_examples {self.max_examples}, but an example has one label"
            )

    def _bounds_of(self, size: SizeOf) -> list[_Bound]:
        """Of the smallest group, of percentiles, and of the largest."""
        least, greatest = getattr(self, f"min_{size}"), getattr(self, f"max_{size}")
        ends = [_Bound(0, least, None, f"min_{size}"), _Bound(100, None, greatest, f"max_{size}")]
        of_percentiles = [
            _Bound(check.percent, check.min, check.max, f"the percentile of {size} at {check.percent:g} %")
            for check in self.percentiles
            if check.of == size
        ]
        return [*ends, *of_percentiles]
