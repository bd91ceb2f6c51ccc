"""What a partitioner is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from partitioners.words import quoted


class ExampleIds(NamedTuple):
    """The stable names of the examples of a batch: what a random draw is a function of.

    Attributes:
        piece_index: which piece of the source they come from.
        rows: int64[num_examples], their positions in the piece; ascending.
        first_row: the position in the piece where the batch began, before any example of it was dropped. A source
            cuts a piece into the same batches whenever it is read, so (piece_index, first_row) names the batch.
    """

    piece_index: int
    rows: np.ndarray
    first_row: int = 0


class Rule(Protocol):
    """What gives examples their groups. It can be pickled, and is applied by any worker in any order."""

    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        """The group of each example.

        Args:
            batch: the examples, at least the features that the partitioner reads.
            ids: their names.

        Returns:
            binary[num_examples], null where the rule gives no group. An empty id counts as none.
        """
        ...


class Partitioner(BaseModel, ABC):
    """How examples become groups, as a spec says it.

    One that knows enough is a rule itself (`RulePartitioner`); one that must first count the examples makes its rule
    from the counts (`CountingPartitioner`). Neither remembers anything from one batch to the next.

    Attributes:
        places: the keys that say where a file of it lies. What the file holds is its identity.
    """

    places: ClassVar[frozenset[str]] = frozenset()

    model_config = ConfigDict(frozen=True)

    missing: Literal["fail", "drop", "group"] = Field(
        "fail",
        description="What to do with an example that has no group (its key is null or empty): fail the build, "
        "drop the example and count it, or put all of them into one group.",
    )
    missing_group: str = Field("(none)", min_length=1, description="The id of that one group, with missing: group.")

    @property
    @abstractmethod
    def in_words(self) -> str:
        """One sentence that says what it does with its parameters; names of features stand between backticks."""

    @property
    def missing_in_words(self) -> str:
        """What becomes of examples without a group; empty where there can be none."""
        match self.missing:
            case "drop":
                return "Examples without a group are left out."
            case "group":
                return f"Examples without a group are together in {quoted(self.missing_group)}."
        return ""

    @property
    @abstractmethod
    def reads(self) -> frozenset[str]:
        """The names of the features that it looks at."""

    def identity(self) -> dict[str, Any]:
        """What the groups depend on beside the spec, such as the content of a mapping file."""
        return {}


class RulePartitioner(Partitioner, ABC):
    """A partitioner that looks at one batch at a time and needs to know nothing else."""

    @abstractmethod
    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        """See `Rule.assign`."""


class CountingPartitioner(Partitioner, ABC):
    """A partitioner that must know something of all examples before it gives the first its group.

    A first pass counts each batch on its own and merges what was counted, in any order. Both passes see the same
    batches: after the checks of examples, before anything else.
    """

    @abstractmethod
    def count(self, batch: pa.RecordBatch, ids: ExampleIds) -> Any:
        """What is to be known of a batch; it can be pickled, and is much smaller than the batch."""

    @abstractmethod
    def merge(self, counts: Iterable[Any]) -> Any:
        """Several counts, or none, as one. The same whatever their order, and however they were merged before."""

    @abstractmethod
    def fit(self, counts: Any) -> Rule:
        """The rule that follows from the counts of all examples.

        Raises:
            SpecError: the examples do not allow what the spec asks for, such as more groups than examples.
        """
