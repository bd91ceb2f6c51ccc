"""Models: each one small file that gives a `Model`, and its name in `KINDS`."""

from collections.abc import Callable
from typing import Any, NamedTuple

from training.models.cnn import CnnSizes, cnn
from training.models.logistic_regression import LogisticRegressionSizes, logistic_regression
from training.models.model import Batch, LossSums, Model, Params
from training.models.transformer import SIZES, TransformerSizes, flops_per_token, num_params, transformer


class Kind(NamedTuple):
    """A kind of model.

    Attributes:
        sizes: the dataclass that says how large one is.
        model: an instance of it to the model.
    """

    sizes: type[Any]
    model: Callable[[Any], Model]


KINDS = {
    "cnn": Kind(CnnSizes, cnn),
    "logistic_regression": Kind(LogisticRegressionSizes, logistic_regression),
    "transformer": Kind(TransformerSizes, transformer),
}
"""Every model, by its name in a spec."""

__all__ = [
    "KINDS",
    "SIZES",
    "Batch",
    "CnnSizes",
    "Kind",
    "LogisticRegressionSizes",
    "LossSums",
    "Model",
    "Params",
    "TransformerSizes",
    "cnn",
    "flops_per_token",
    "logistic_regression",
    "num_params",
    "transformer",
]
