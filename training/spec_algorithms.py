"""The algorithms of a training spec. What they do: `training.algorithms`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Decay = Literal["constant", "exponential", "cosine"]


class Part(BaseModel):
    """A part of a spec. Fields that it does not know are ignored, as a form may send those of another tab along.

    Where a file is read, they are errors: see `specs.load_spec`.
    """

    model_config = ConfigDict(frozen=True)


class Rate(Part):
    """A learning rate over the rounds."""

    peak: float = Field(gt=0, description="The learning rate after the warm-up.")
    decay: Decay = Field(
        "constant", description="After the warm-up: stays, falls to a hundredth by a factor each round, or to 0."
    )
    warmup: float = Field(0.0, ge=0, lt=1, description="Share of the rounds in which it rises to its peak.")


class Client(Part):
    """What clients do: SGD."""

    rate: Rate = Rate(peak=0.1)
    momentum: float = Field(0.0, ge=0, lt=1, description="0 is plain SGD.")
    clip_norm: float | None = Field(None, gt=0, description="Bound of the 2-norm of a gradient.")


class PlainClient(Client):
    """What clients do where the algorithm takes the place of momentum."""

    momentum: Literal[0] = 0


class Server(Part):
    """What the server does with the mean of what clients give."""

    optimizer: Literal["sgd", "momentum", "adam", "yogi", "adagrad"] = Field(
        "sgd", description="With sgd at a rate of 1, the mean of the clients' models is the next model."
    )
    rate: Rate = Rate(peak=1.0)
    epsilon: float = Field(
        1e-3,
        gt=0,
        description="Of adam, yogi and adagrad: numbers below it are hardly scaled up. Gradients of fedsgd are small: "
        "give it 1e-8 there.",
    )


class _Algorithm(Part):
    kind: str
    name: str | None = Field(
        None, pattern=r"^[\w.-]{1,60}$", description="What it is called in the report. Default: its kind."
    )
    server: Server = Server()
    weighting: Literal["targets", "uniform"] = Field(
        "targets", description="Whether a client counts as its targets (tokens, labels) in the mean, or all the same."
    )

    @property
    def label(self) -> str:
        """What it is called."""
        return self.name or self.kind

    def options(self) -> dict[str, Any]:
        """What only this algorithm has."""
        return self.model_dump(exclude={"kind", "name", "client", "server", "weighting"})


class _WithSteps(_Algorithm):
    client: Client = Client()


class FedSgd(_Algorithm):
    """Clients give gradients; the server makes the steps."""

    model_config = ConfigDict(title="FedSGD")

    kind: Literal["fedsgd"] = "fedsgd"
    server: Server = Server(rate=Rate(peak=0.1))


class FedAvg(_WithSteps):
    """Clients train by themselves; the server steps towards the mean of their models."""

    kind: Literal["fedavg"] = "fedavg"


class FedProx(_WithSteps):
    """FedAvg whose clients are drawn back to the model that they got."""

    kind: Literal["fedprox"] = "fedprox"
    mu: float = Field(0.01, ge=0, description="How strongly; 0 is FedAvg.")


class Scaffold(_WithSteps):
    """Clients correct their gradients by how their own differ from everybody's."""

    model_config = ConfigDict(title="SCAFFOLD")

    kind: Literal["scaffold"] = "scaffold"
    client: PlainClient = PlainClient()


class FedNova(_WithSteps):
    """Clients that do more steps do not pull the mean their way."""

    kind: Literal["fednova"] = "fednova"


class MimeLite(_WithSteps):
    """Clients step with the server's momentum."""

    model_config = ConfigDict(title="Mime-lite")

    kind: Literal["mime_lite"] = "mime_lite"
    client: PlainClient = PlainClient()
    beta: float = Field(0.9, ge=0, lt=1, description="Share of the momentum in a step; 0 is FedAvg.")


class Reptile(_WithSteps):
    """A meta-learner: all clients count the same, and the server goes a part of the way to their mean."""

    kind: Literal["reptile"] = "reptile"
    server: Server = Server(rate=Rate(peak=0.5))
    weighting: Literal["uniform"] = "uniform"


class Ditto(_WithSteps):
    """FedAvg, and a model of its own for each client that may not go far from the common one."""

    kind: Literal["ditto"] = "ditto"
    lambda_: float = Field(0.1, ge=0, description="How closely; 0 trains each client alone.")


# FedSGD has a part of FedAvg's fields: as the first it is the tab that a page opens for what has no others.
AnyAlgorithm = Annotated[
    FedSgd | FedAvg | FedProx | Scaffold | FedNova | MimeLite | Reptile | Ditto, Field(discriminator="kind")
]
