"""What a partitioner is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field


class ExampleIds(NamedTuple):
    """The stable names of the examples of a batch: what a random draw is a function of.

    Attributes:
        piece_index: which piece of the source they come from.
        rows: int64[num_examples], their positions in the piece.
    """

    piece_index: int
    rows: np.ndarray


class Partitioner(BaseModel, ABC):
    """A rule: example to group.

    It looks at one batch at a time and remembers nothing, so any number of workers may apply it in any order.
    """

    model_config = ConfigDict(frozen=True)

    missing: Literal["fail", "drop", "group"] = Field(
        "fail",
        description="What to do with an example that has no group (its key is null or empty): fail the build, "
        "drop the example and count it, or put all of them into one group.",
    )
    missing_group: str = Field("(none)", min_length=1, description="The id of that one group, with missing: group.")

    @property
    @abstractmethod
    def reads(self) -> frozenset[str]:
        """The names of the features that `assign` looks at."""

    @abstractmethod
    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        """The group of each example.

        Args:
            batch: the examples, at least the features in `reads`.
            ids: their names.

        Returns:
            binary[num_examples], null where the rule gives no group. An empty id counts as none.
        """
