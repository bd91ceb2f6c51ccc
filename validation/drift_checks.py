"""What a spec can ask of a new version, held against an earlier one."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from groupstream.layout import is_name


class DriftChecks(BaseModel):
    """How far a version may be from an earlier one before the build stops and asks.

    All shares and distances are 0 to 1. Where there is no earlier version yet, nothing is compared.
    """

    model_config = ConfigDict(frozen=True, title="Compared with an earlier version")

    compare_to: str = Field(
        "latest",
        min_length=1,
        description="The earlier version: latest, a number such as 1.2.0, or a ref such as news@latest.",
    )
    max_groups_change: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="By which share the number of groups may change; 0.1 is a tenth."
    )
    max_examples_change: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="By which share the number of examples may change."
    )
    max_groups_removed: float | None = Field(
        None, ge=0, le=1, description="Which share of the earlier groups may be gone."
    )
    max_groups_added: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="How many groups may be new, as a share of the earlier ones."
    )
    max_size_distance: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Greatest distance between the distributions of examples per group: that of Kolmogorov and "
        "Smirnov, the largest difference between the shares of groups up to a size.",
    )
    max_label_distance: float | None = Field(
        None, ge=0, le=1, description="Greatest total variation distance between the labels of all examples."
    )
    features: Literal["same", "may_grow", "any"] = Field(
        "same", description="Whether features must be the same, may be added, or may change as they like."
    )
    accept: bool = Field(
        False,
        description="Publish although it drifted, because somebody has looked: --set checks.drift.accept=true. The "
        "results are kept, and it changes nothing else.",
    )

    @model_validator(mode="after")
    def _compares_to_a_version(self) -> DriftChecks:
        name, at, version = self.compare_to.rpartition("@")
        if not version or (at and not is_name(name)):
            raise ValueError(f"compare_to {self.compare_to!r} is no ref; write latest, 1.2.0 or name@latest")
        return self
