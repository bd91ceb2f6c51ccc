"""Which split each example is in: held-out groups, held-out examples of every group, or both."""

from __future__ import annotations

import hashlib
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from partitioners.draws import draw_uniforms, unit_floats
from partitioners.partitioner import ExampleIds
from partitioners.words import shares_in_words

ONLY_SPLIT = "train"  # where a spec asks for none
_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")


def _fractions(fractions: dict[str, float]) -> dict[str, float]:
    for name, fraction in fractions.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} names no split; use lower-case letters, digits and _, beginning with a letter")
        if not fraction > 0:
            raise ValueError(f"{name} has the fraction {fraction}; give one above 0, or leave the split out")
    if not math.isclose(total := sum(fractions.values()), 1, abs_tol=1e-6):
        raise ValueError(f"the fractions sum to {total:g}, not to 1")
    return fractions


_FORM = {  # what JSON Schema can say of them: not that they sum to 1
    "type": "object",
    "propertyNames": {"pattern": f"^{_NAME.pattern}$"},
    "additionalProperties": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    "minProperties": 1,
}

Fractions = Annotated[dict[str, float], AfterValidator(_fractions), Field(min_length=1), WithJsonSchema(_FORM)]


class Splits(BaseModel, ABC):
    """How examples fall into splits. A draw is a function of the seed and of the name of a group or an example."""

    model_config = ConfigDict(frozen=True)

    seed: int = Field(0, ge=-(1 << 63), lt=1 << 63, description="Another seed gives another split.")

    @property
    @abstractmethod
    def in_words(self) -> str:
        """One sentence that says which examples are in which split."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The names of the splits, in the order of the spec."""

    @abstractmethod
    def assign(self, group_ids: pa.Array, ids: ExampleIds) -> np.ndarray:
        """int64[num_examples]: the position in `names` of the split of each example.

        Args:
            group_ids: binary[num_examples], without nulls.
            ids: the names of the examples.
        """


class SplitByGroup(Splits):
    """Held-out groups: all examples of a group are in one split.

    Source: the training and held-out clients of Wang et al. 2021, "A Field Guide to Federated Optimization", 3.2.
    """

    model_config = ConfigDict(title="Held-out groups")

    by: Literal["group"] = "group"
    fractions: Fractions = Field(description='The share of groups of each split, such as {"train": 0.9, "test": 0.1}.')

    @property
    def in_words(self) -> str:
        """See `Splits.in_words`."""
        return f"Each group is in one split, by a draw: {shares_in_words(self.fractions)}."

    @property
    def names(self) -> tuple[str, ...]:
        """See `Splits.names`."""
        return tuple(self.fractions)

    def assign(self, group_ids: pa.Array, ids: ExampleIds) -> np.ndarray:
        """See `Splits.assign`."""
        return _cut(_draw_for_groups(group_ids, self.seed), self.fractions.values())


class SplitByExample(Splits):
    """Held-out examples: each example of each group is drawn on its own, so a small group may be in one split only.

    Source: the split of every client's examples for personalization in Wang et al. 2021, 3.2.
    """

    model_config = ConfigDict(title="Held-out examples")

    by: Literal["example"] = "example"
    fractions: Fractions = Field(
        description='The share of examples of each split, such as {"train": 0.8, "test": 0.2}.'
    )

    @property
    def in_words(self) -> str:
        """See `Splits.in_words`."""
        return f"Each example of a group is in a split by a draw of its own: {shares_in_words(self.fractions)}."

    @property
    def names(self) -> tuple[str, ...]:
        """See `Splits.names`."""
        return tuple(self.fractions)

    def assign(self, group_ids: pa.Array, ids: ExampleIds) -> np.ndarray:
        """See `Splits.assign`."""
        return _cut(draw_uniforms(ids, self.seed, "split"), self.fractions.values())


class SplitByBoth(Splits):
    """Held-out groups, and held-out examples of every group: a split for each pair, such as test_query.

    Source: three-way and support/query splits of meta-learning (Vinyals et al. 2016; Yuan et al. 2022, "What Do We
    Mean by Generalization in Federated Learning?", 2.2).
    """

    model_config = ConfigDict(title="Both")

    by: Literal["both"] = "both"
    groups: Fractions = Field(description='The share of groups, such as {"train": 0.9, "test": 0.1}.')
    examples: Fractions = Field(
        description='The share of the examples of a group, such as {"support": 0.8, "query": 0.2}.'
    )

    @model_validator(mode="after")
    def _refuse_one_name_for_two(self) -> SplitByBoth:
        for name in self.names:
            if self.names.count(name) > 1:
                raise ValueError(f"two of the splits would be called {name}; choose other names for groups or examples")
        return self

    @property
    def in_words(self) -> str:
        """See `Splits.in_words`."""
        groups, examples = shares_in_words(self.groups), shares_in_words(self.examples)
        return f"Groups are held out by a draw ({groups}), and so are examples of each ({examples}); a pair is a split."

    @property
    def names(self) -> tuple[str, ...]:
        """See `Splits.names`."""
        return tuple(f"{group}_{example}" for group in self.groups for example in self.examples)

    def assign(self, group_ids: pa.Array, ids: ExampleIds) -> np.ndarray:
        """See `Splits.assign`."""
        groups = _cut(_draw_for_groups(group_ids, self.seed), self.groups.values())
        return groups * len(self.examples) + _cut(draw_uniforms(ids, self.seed, "split"), self.examples.values())


AnySplits = Annotated[SplitByGroup | SplitByExample | SplitByBoth, Field(discriminator="by")]


def _draw_for_groups(group_ids: pa.Array, seed: int) -> np.ndarray:
    """float64[num_examples]: the draw of each example's group."""
    coded = group_ids.dictionary_encode()
    key = seed.to_bytes(8, "little", signed=True)
    digests = b"".join(
        hashlib.blake2b(g, digest_size=8, key=key, person=b"split").digest() for g in coded.dictionary.to_pylist()
    )
    return unit_floats(np.frombuffer(digests, "<u8").astype(np.uint64))[coded.indices.to_numpy()]


def _cut(draws: np.ndarray, fractions: Iterable[float]) -> np.ndarray:
    bounds = np.cumsum(list(fractions))[:-1]
    return np.searchsorted(bounds, draws, side="right")
