"""How large each group is to be, where a spec says it."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from groupstream import SpecError
from partitioners.words import counted

MAX_GROUPS = 50_000_000

_Size = Annotated[int, Field(ge=1)]


class GroupSizes(BaseModel):
    """The sizes of all groups, said in one of three ways."""

    model_config = ConfigDict(frozen=True)

    num_groups: int | None = Field(
        None, ge=1, le=MAX_GROUPS, description="So many groups, as equal as can be: the first have one example more."
    )
    group_examples: int | None = Field(None, ge=1, description="As many groups of so many examples as there can be.")
    sizes: list[_Size] | None = Field(None, min_length=1, description="The number of examples of each group.")

    @model_validator(mode="after")
    def _is_said_once(self) -> GroupSizes:
        said = [name for name in GroupSizes.model_fields if getattr(self, name) is not None]
        if len(said) != 1:
            raise ValueError(
                f"give one of num_groups, group_examples and sizes; this gives {' and '.join(said) or 'none'}"
            )
        return self

    @property
    def sizes_in_words(self) -> str:
        """The beginning of a sentence."""
        if self.sizes is not None:
            low, high = min(self.sizes), max(self.sizes)
            return f"{counted(len(self.sizes), 'group')} of {low:,} to {high:,} examples, as the spec lists them"
        if self.group_examples:
            return f"Groups of exactly {counted(self.group_examples, 'example')}"
        return f"{counted(self.num_groups or 0, 'group')}, as equal as can be"

    def sizes_of(self, num_examples: int) -> np.ndarray:
        """int64[num_groups]: examples of each group; they sum to `num_examples` or less.

        Raises:
            SpecError: there are too few examples, or more groups than can be.
        """
        if self.sizes is not None:
            return self._given(num_examples)
        num_groups = self.num_groups or num_examples // (self.group_examples or 1)
        if not 1 <= num_groups <= min(num_examples, MAX_GROUPS):
            raise SpecError(
                f"partitioner: {self._wish()} cannot be made of {num_examples:,} examples; "
                f"a group has at least 1 example, and there are at most {MAX_GROUPS:,} groups"
            )
        if self.group_examples:
            return np.full(num_groups, self.group_examples, np.int64)
        size, larger = divmod(num_examples, num_groups)
        return size + (np.arange(num_groups) < larger)

    def _wish(self) -> str:
        if self.group_examples:
            return f"groups of {self.group_examples:,} examples"
        return f"{self.num_groups:,} groups"

    def _given(self, num_examples: int) -> np.ndarray:
        sizes = np.array(self.sizes, np.int64)
        if (total := int(sizes.sum())) > num_examples:
            raise SpecError(
                f"partitioner: the sizes sum to {total:,}, and there are {num_examples:,} examples; give smaller sizes"
            )
        return sizes


def refuse_rest(rest: int, missing: str, way_out: str) -> None:
    """Fails where examples remain and the spec does not say what becomes of them.

    Args:
        rest: how many examples get no group.
        missing: of the partitioner.
        way_out: what else could be written, such as "other sizes".

    Raises:
        SpecError: examples remain, and `missing` is fail.
    """
    if rest and missing == "fail":
        raise SpecError(
            f"partitioner: {rest:,} examples remain that fill no group; write missing: drop to leave them out, "
            f"missing: group to make one group of them, or {way_out}"
        )


def missing_rest() -> Any:
    """The field `missing` of a partitioner that may have a rest."""
    return Field(
        "fail",
        description="What to do with the examples that fill no group (the rest), and with those that have no label: "
        "fail the build, drop and count them, or put all of them into one group.",
    )
