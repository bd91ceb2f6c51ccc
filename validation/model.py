"""The checks that a spec can ask for."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator


def _refuse_empty_range(what: str, least: float | None, greatest: float | None) -> None:
    if least is not None and greatest is not None and least > greatest:
        raise ValueError(f"min_{what} {least} is above max_{what} {greatest}, so nothing could pass")


class ExampleCheck(BaseModel):
    """What must hold for one feature of every example."""

    model_config = ConfigDict(frozen=True)

    nullable: bool = Field(False, description="Whether it may be missing.")
    min_length: int | None = Field(None, ge=0, description="Fewest characters, or items of a list.")
    max_length: int | None = Field(None, ge=0, description="Most characters, or items of a list.")
    min_value: float | None = Field(None, allow_inf_nan=False, description="Least value of a number.")
    max_value: float | None = Field(None, allow_inf_nan=False, description="Greatest value of a number.")
    allowed: tuple[str | int, ...] | None = Field(None, min_length=1, description="The only values allowed.")

    @model_validator(mode="after")
    def _bounds_in_order(self) -> ExampleCheck:
        _refuse_empty_range("length", self.min_length, self.max_length)
        _refuse_empty_range("value", self.min_value, self.max_value)
        return self


class GroupChecks(BaseModel):
    """What must hold for the groups."""

    model_config = ConfigDict(frozen=True)

    min_groups: int = Field(1, ge=0, description="Fewest groups the dataset may have.")
    max_groups: int | None = Field(None, ge=1, description="Most groups the dataset may have.")
    min_examples: int = Field(1, ge=1, description="Fewest examples a group may have.")
    max_examples: int | None = Field(None, ge=1, description="Most examples a group may have.")
    max_share_of_largest: float | None = Field(
        None, gt=0, le=1, description="Greatest share of all examples that one group may have; 1 allows everything."
    )

    @model_validator(mode="after")
    def _bounds_in_order(self) -> GroupChecks:
        _refuse_empty_range("groups", self.min_groups, self.max_groups)
        _refuse_empty_range("examples", self.min_examples, self.max_examples)
        return self


class Checks(BaseModel):
    """What must hold before anything is published."""

    model_config = ConfigDict(frozen=True)

    examples: dict[str, ExampleCheck] = Field({}, description="By feature: what must hold for it in every example.")
    max_rejected: int = Field(
        0,
        ge=0,
        description="How many examples may break that. They are left out and counted; one more fails the build.",
    )
    groups: GroupChecks = Field(GroupChecks(), description="What must hold for the groups.")
