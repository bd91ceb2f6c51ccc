"""Study in, its trainings beside each other out."""

from __future__ import annotations

import os
from pathlib import Path

from prefect import flow
from pydantic import BaseModel, ConfigDict, ValidationError

from cards.training.percentiles import read_percentiles
from cards.training.study_table import CellResult
from flows.build_dataset import build_dataset
from flows.train_and_benchmark import output_folder, train_and_benchmark
from groupstream import SpecError
from specs import Spec
from tasks.masking import masked_errors
from tasks.training_report import write_study_page
from training.study import Study


class StudyResult(BaseModel):
    """What a study gives: the page, and the report of each cell, in the order of the file."""

    model_config = ConfigDict(frozen=True)

    page: str
    reports: list[str]


@flow(name="study", flow_run_name="study {study.title}", persist_result=False)
def run_study(study: Study, output: str | None = None) -> StudyResult:
    """Builds what a study needs, runs each of its trainings, and puts them beside each other.

    Args:
        study: what is trained, and what differs.
        output: a folder for results; trials that are done there are not done again. Default: as that of a training.
    """
    with masked_errors():
        folder = output_folder(study.train.root, output)
        builds, cells = builds_of(study), list(study.all_cells())
        for spec in builds:
            build_dataset(spec)
        found = [train_and_benchmark(cell.spec, output=output) for cell in cells]
        page = folder / f"study-{study.digest[:12]}"
        results = [
            CellResult(cell.settings, read_percentiles(one.folder), os.path.relpath(one.report, page))
            for cell, one in zip(cells, found, strict=True)
        ]
        return StudyResult(
            page=str(write_study_page(study, results, Path(page))), reports=[one.report for one in found]
        )


def builds_of(study: Study) -> list[Spec]:
    """The specs of what is built first; where they name no root, that of the training.

    Raises:
        SpecError: one is no build spec.
    """
    specs = []
    for number, fields in enumerate(study.builds):
        try:
            spec = Spec.model_validate(fields, extra="forbid")
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            raise SpecError(f"builds.{number}.{'.'.join(map(str, problem['loc']))}: {problem['msg']}") from None
        if spec.publish.root is None and study.train.root is not None:
            spec = spec.model_copy(update={"publish": spec.publish.model_copy(update={"root": study.train.root})})
        specs.append(spec)
    return specs
