"""The checks that a spec can ask for."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, Field, model_validator

from validation.drift_checks import DriftChecks
from validation.example_check import ExampleCheck
from validation.group_checks import GroupChecks


class Checks(BaseModel):
    """What must hold before anything is published."""

    model_config = ConfigDict(frozen=True)

    examples: dict[str, ExampleCheck] = Field(
        {}, description='By feature: what must hold for it in every example, such as {"text": {"min_length": 1}}.'
    )
    max_rejected: int | None = Field(
        None,
        ge=0,
        description="How many examples may break that. They are left out, counted and kept in quarantine; one more "
        "fails the build. Default: none.",
    )
    max_rejected_share: float | None = Field(
        None, ge=0, le=1, description="The same as a share of all examples, 0 to 1, instead of a count."
    )
    groups: GroupChecks = Field(GroupChecks(), description="What must hold for the groups.")
    drift: DriftChecks | None = Field(None, description="How far it may be from an earlier version.")

    @model_validator(mode="after")
    def _one_tolerance(self) -> Checks:
        if self.max_rejected is not None and self.max_rejected_share is not None:
            raise ValueError("it has max_rejected and max_rejected_share; leave one of them out")
        return self

    def num_tolerated(self, num_examples: int) -> int:
        """How many of so many examples may break a check.

        >>> Checks().num_tolerated(1000), Checks(max_rejected_share=0.01).num_tolerated(1050)
        (0, 10)
        """
        if self.max_rejected_share is not None:
            return math.floor(self.max_rejected_share * num_examples)
        return self.max_rejected or 0
