"""A study: the same training over and over, with something changed. It is a YAML file, as a training spec is."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import Field, ValidationError, model_validator

from training.spec import TrainSpec, digest_of
from training.spec_algorithms import Part


class Cell(NamedTuple):
    """One training of a study, and what is changed in it."""

    settings: dict[str, Any]
    spec: TrainSpec


class Study(Part):
    """What is trained in each cell, and what differs between cells.

    Each cell has all algorithms and seeds of its training spec.
    """

    title: str = Field(description="What the study asks, in a line.")
    builds: list[dict[str, Any]] = Field(
        [],
        description="What is built first, where it is not there yet: build specs, such as those of one dataset that is "
        "partitioned in several ways.",
    )
    train: TrainSpec = Field(description="The training, before anything is changed.")
    vary: dict[str, list[Any]] = Field(
        {},
        description="Keys of the training spec, such as local_steps or model.size, and the values of each; a cell for "
        "each combination.",
    )
    cells: list[dict[str, Any]] = Field(
        [{}],
        min_length=1,
        description="Keys that change together, such as {local_steps: 4, rounds: 160}; each with every combination of "
        "vary.",
    )

    @model_validator(mode="after")
    def _has_cells(self) -> Study:
        all_cells = list(self.all_cells())
        names = {tuple(sorted(cell.settings)) for cell in all_cells}
        if len(names) > 1:
            raise ValueError("all cells should have the same keys, or they cannot stand in one table")
        return self

    @property
    def digest(self) -> str:
        """SHA-256 of what it says."""
        return digest_of(self.model_dump(mode="json"))

    def all_cells(self) -> Iterator[Cell]:
        """In the order of the file.

        Raises:
            ValueError: a key that the training spec does not have, or a value that it does not take.
        """
        for together in self.cells:
            for values in itertools.product(*self.vary.values()):
                settings = {**together, **dict(zip(self.vary, values, strict=True))}
                yield Cell(settings, _changed(self.train, settings))


def _changed(spec: TrainSpec, settings: Mapping[str, Any]) -> TrainSpec:
    fields = spec.model_dump(mode="json")
    for key, value in settings.items():
        *outer, last = key.split(".")
        inside: Any = fields
        for name in outer:
            inside = inside.get(name) if isinstance(inside, dict) else None
        if not isinstance(inside, dict) or last not in inside:
            raise ValueError(f"{key} is not a key of a training spec; it has {', '.join(fields)}")
        inside[last] = value
    try:
        return TrainSpec.model_validate(fields, extra="forbid")
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise ValueError(f"{settings}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}") from None
