"""Models: each one small file that gives a `Model`."""

from training.models.cnn import CnnSizes, cnn
from training.models.logistic_regression import LogisticRegressionSizes, logistic_regression
from training.models.model import Batch, LossSums, Model, Params
from training.models.transformer import SIZES, TransformerSizes, flops_per_token, num_params, transformer

__all__ = [
    "SIZES",
    "Batch",
    "CnnSizes",
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
