"""What a training run ends with."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from cards.training import percentile_table


class Percentiles(BaseModel):
    """Where 10, 50 and 90 % of the held-out groups are; means over seeds.

    Attributes:
        measure: loss in nats a target, or accuracy.
        moment: before or after fine-tuning.
    """

    model_config = ConfigDict(frozen=True)

    algorithm: str
    measure: Literal["loss", "accuracy"]
    moment: Literal["before", "after"]
    p10: float
    p50: float
    p90: float


class TrainingResult(BaseModel):
    """What a training run found.

    Attributes:
        dataset: ref of the version that it trained on.
        report: the page.
        folder: where that and the tables lie.
    """

    model_config = ConfigDict(frozen=True)

    dataset: str
    report: str
    folder: str
    percentiles: list[Percentiles]


def training_result(dataset: str, folder: Path, evaluation: pa.Table) -> TrainingResult:
    """The result of a run whose report lies in `folder`."""
    rows = percentile_table(evaluation).select(list(Percentiles.model_fields)).to_pylist()
    percentiles = [Percentiles(**row) for row in rows]
    return TrainingResult(dataset=dataset, report=f"{folder}/report.html", folder=str(folder), percentiles=percentiles)
