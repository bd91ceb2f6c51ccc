"""Groups of different sizes, of examples at random."""

from __future__ import annotations

import functools
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import ConfigDict, Field, model_validator

from partitioners.draws import generator
from partitioners.numbered import numbered
from partitioners.partitioner import ExampleIds, RulePartitioner
from partitioners.seeded import Seeded
from partitioners.shares import bounds_of, choose
from partitioners.words import counted

Shape = Literal["linear", "square", "exponential", "lognormal"]

_SHAPES = {
    "linear": "group i is expected to have i times the examples of the first",
    "square": "group i is expected to have i² times the examples of the first",
    "exponential": "each group is expected to be e times as large as the one before",
}


class BySizeShape(Seeded, RulePartitioner):
    """Each example in a group by a draw of its own; the shape says how likely each group is.

    Of 3 groups, linear gives 1/6, 2/6 and 3/6 of the examples; square 1/14, 4/14 and 9/14; exponential, where each
    group is e times as large as the one before, 9, 24 and 67 %. With lognormal the size of a group is
    exp(sigma z), z ~ N(0, 1): with sigma 1 one group in six is more than e times as large as the median.

    Source: the Linear-, Square- and ExponentialPartitioner of Flower Datasets; the log-normal sizes of FedLab (Zeng et
    al. 2023, unbalance_sgm). Theirs cut a list of all examples, and their exponential sizes overflow past 709 groups;
    in ours sizes are exact in expectation, and vary as those of `iid` do.
    """

    model_config = ConfigDict(title="Sizes")

    kind: Literal["sized"] = "sized"
    num_groups: int = Field(ge=1, le=10_000_000, description="How many groups. The smallest may stay empty.")
    shape: Shape = Field("lognormal", description="How sizes differ from group to group.")
    sigma: float | None = Field(
        None,
        ge=0,
        le=50,
        description="Of lognormal: the standard deviation of the logarithm of the sizes. 0 makes them alike, 1 (the "
        "default) one in six over e times the median, 3 one in six over 20 times.",
    )

    @model_validator(mode="after")
    def _sigma_has_a_use(self) -> BySizeShape:
        if self.sigma is not None and self.shape != "lognormal":
            raise ValueError(f"sigma is of the shape lognormal; this is {self.shape}. Leave it out")
        return self

    @property
    def in_words(self) -> str:
        """See `Partitioner.in_words`."""
        return f"Each example in one of {counted(self.num_groups, 'group')} by a draw; {self._shape_in_words}."

    @property
    def _shape_in_words(self) -> str:
        sigma = 1.0 if self.sigma is None else self.sigma
        return _SHAPES.get(self.shape, f"their expected sizes are log-normal with sigma {sigma:g}")

    @property
    def reads(self) -> frozenset[str]:
        """See `Partitioner.reads`."""
        return self.reads_key

    def shares(self) -> np.ndarray:
        """float64[num_groups]: the expected share of all examples of each group; they sum to 1."""
        return _shares(self.num_groups, self.shape, self.sigma, self.seed)

    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        """See `Rule.assign`."""
        bounds = _bounds(self.num_groups, self.shape, self.sigma, self.seed)
        return numbered(choose(bounds, self.draw(batch, ids)), self.num_groups)


def _shares(num_groups: int, shape: Shape, sigma: float | None, seed: int) -> Any:
    numbers = np.arange(1.0, num_groups + 1)
    match shape:
        case "linear":
            sizes = numbers
        case "square":
            sizes = numbers**2
        case "exponential":
            sizes = np.exp(numbers - num_groups)
        case "lognormal":
            sizes = np.exp((1.0 if sigma is None else sigma) * generator(seed, "sizes").standard_normal(num_groups))
    return sizes / sizes.sum()


@functools.lru_cache(maxsize=1)
def _bounds(num_groups: int, shape: Shape, sigma: float | None, seed: int) -> Any:
    return bounds_of(_shares(num_groups, shape, sigma, seed))
