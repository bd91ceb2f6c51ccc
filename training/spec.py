"""The model of a training spec. It is the YAML file, the form of the Prefect UI and the JSON Schema of both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from forms.arranging import arrange, refuse_credentials
from groupstream import __version__
from groupstream.stores.address import without_credentials
from training.spec_algorithms import AnyAlgorithm, FedAvg, FedSgd, Part
from training.spec_models import AnyModel, Transformer

_LIBRARIES = ("jax", "optax", "tokenizers")  # whose releases may change a result


def _no_credentials(text: str) -> str:
    if without_credentials(text) != text:
        raise ValueError("an address with a user, a password or a signature would be stored; give them to the machine")
    return text


def _distinct(what: str, values: Sequence[Any]) -> None:
    twice = sorted({str(value) for value in values if list(values).count(value) > 1})
    if twice:
        raise ValueError(f"{what} {', '.join(twice)} stands twice; each needs to be unlike the others")


Seed = Annotated[int, Field(ge=0, lt=1 << 32)]
Place = Annotated[str, AfterValidator(_no_credentials)]


class Evaluation(Part):
    """What is measured on groups that took no part in training."""

    max_groups: int = Field(
        200, ge=2, description="About so many held-out groups, drawn by the seed; above 16 rounded up to a multiple."
    )
    num_steps: int = Field(16, ge=1, description="Steps of fine-tuning, at most.")
    num_epochs: int = Field(1, ge=1, description="How often fine-tuning goes through what a group has for it.")
    test_steps: int = Field(16, ge=1, description="Batches that a group is tested on, at most.")
    batch_size: int = Field(8, ge=1, description="Sequences, or examples, of a step or a batch.")
    learning_rates: list[Annotated[float, Field(gt=0)]] = Field(
        [0.01, 0.03, 0.1],
        min_length=1,
        description="Of fine-tuning, which is plain SGD. Each is tried; for each algorithm and seed a half of the "
        "groups chooses the best, and the other half is what is reported.",
    )
    protocol: Literal["divided", "paper"] = Field(
        "divided",
        description="divided: a group is tuned on one half of its examples and tested on the other. paper: on the "
        "same ones, as the paper measures it; every picture says so.",
    )
    divide_by: Literal["splits", "hash"] | None = Field(
        None,
        description="Which groups are held out: those of a split, or a draw for each. Default: a split, if the version "
        "has train and one of test and validation.",
    )
    held_out_split: str | None = Field(None, description="With splits. Default: test, else validation.")
    fraction: float = Field(0.1, gt=0, lt=1, description="With hash: the share of the groups that is held out.")
    seed: Seed = Field(0, description="Of the draws of groups and of halves; the same for all algorithms.")

    @model_validator(mode="after")
    def _has_distinct_rates(self) -> Evaluation:
        _distinct("the learning rate", self.learning_rates)
        return self


_DIVISION = {"divide_by", "held_out_split", "fraction", "seed"}  # what of the evaluation training depends on


class TrainSpec(Part):
    """What to train, on what, and how it is measured."""

    dataset: Place = Field(description="A published version: name@version, or name for the latest.")
    root: Place | None = Field(
        None, description="Where the datasets lie: a folder or the address of a bucket. Default: $GROUPSTREAM_ROOT."
    )
    algorithms: list[AnyAlgorithm] = Field(
        [FedAvg(), FedSgd()],
        min_length=1,
        description="What is compared. All see the same clients and the same examples in the same rounds.",
    )
    model: AnyModel = Field(Transformer(), description="What is trained.")
    rounds: int = Field(100, ge=1, description="How many rounds.")
    cohort_size: int = Field(8, ge=1, description="Clients a round.")
    local_steps: int = Field(16, ge=1, description="Steps a client makes in a round, at most.")
    local_epochs: int | None = Field(
        None,
        ge=1,
        description="How often a client goes through its examples in a round. Default: until it has made its steps.",
    )
    batch_size: int = Field(8, ge=1, description="Sequences, or examples, a step.")
    sampling: Literal["uniform", "by_size", "epochs"] = Field(
        "uniform",
        description="How clients are drawn. by_size draws large ones more often: weighting: uniform goes with it.",
    )
    seeds: list[Seed] = Field(
        [0], min_length=1, description="Each gives the first parameters, the clients of each round, their order."
    )
    evaluation: Evaluation = Evaluation()
    clients_at_once: int | None = Field(
        None,
        ge=1,
        description="Clients that a device trains in one vectorised step. Default: 1 on a CPU; up to 4 on a GPU.",
    )
    checkpoint_rounds: int = Field(
        50, ge=1, description="A run that was killed goes on with the last round that is a multiple of this."
    )

    @model_validator(mode="after")
    def _has_distinct_trials(self) -> TrainSpec:
        _distinct("the algorithm", [algorithm.label for algorithm in self.algorithms])
        _distinct("the seed", self.seeds)
        if self.clients_at_once and self.cohort_size % self.clients_at_once:
            raise ValueError(f"clients_at_once {self.clients_at_once} does not divide a cohort of {self.cohort_size}")
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The form. See `forms.arranging`."""
        reference = handler(core)
        model = handler.resolve_ref_schema(reference)
        arrange(model, handler.resolve_ref_schema)
        refuse_credentials(model, frozenset(["dataset", "root"]))
        return reference

    @property
    def digest(self) -> str:
        """SHA-256 of what it says, but for where the version lies."""
        return digest_of(self.model_dump(mode="json", exclude={"root"}))

    def trials(self) -> list[tuple[AnyAlgorithm, int]]:
        """Each algorithm with each seed."""
        return [(algorithm, seed) for algorithm in self.algorithms for seed in self.seeds]

    def trial_digest(self, algorithm: AnyAlgorithm, seed: int, dataset_digest: str) -> str:
        """12 hex digits that change with whatever changes what is trained, releases of libraries among it.

        So a trial that was finished is not done again, whichever others stand beside it, and however it is measured.
        """
        apart = {"algorithms", "seeds", "dataset", "root", "checkpoint_rounds", "evaluation"}
        fields = self.model_dump(mode="json", exclude=apart)
        releases = {name: version(name) for name in _LIBRARIES} | {"groupstream": __version__}
        return digest_of(
            {
                **fields,
                "division": self.evaluation.model_dump(mode="json", include=_DIVISION),
                "algorithm": algorithm.model_dump(mode="json", exclude={"name"}),
                "seed": seed,
                "dataset_digest": dataset_digest,
                "releases": releases,
            }
        )[:12]

    @property
    def evaluation_digest(self) -> str:
        """12 hex digits that change with whatever changes how held-out groups are measured."""
        return digest_of(self.evaluation.model_dump(mode="json"))[:12]


def digest_of(fields: dict[str, Any]) -> str:
    """SHA-256 of values of JSON."""
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
