"""What the cells of a study are."""

from __future__ import annotations

from pathlib import Path

import pytest

from groupstream import SpecError
from specs import load_spec
from training.spec import TrainSpec
from training.study import Study

TRAIN = {"dataset": "news", "rounds": 10}
SPECS = Path(__file__).parents[2] / "specs" / "training"


def settings_of(**fields) -> list[dict]:
    return [cell.settings for cell in Study.model_validate({"title": "x", "train": TRAIN, **fields}).all_cells()]


def test_each_combination_is_a_cell():
    cells = settings_of(vary={"local_steps": [1, 4], "model.size": ["tiny", "small"]})
    assert cells == [{"local_steps": steps, "model.size": size} for steps in (1, 4) for size in ("tiny", "small")]


def test_what_changes_together_is_combined_with_the_rest():
    together = [{"local_steps": 1, "rounds": 40}, {"local_steps": 4, "rounds": 10}]
    cells = settings_of(cells=together, vary={"dataset": ["a", "b"]})
    assert cells == [{**both, "dataset": name} for both in together for name in ("a", "b")]


def test_a_cell_is_the_training_with_its_settings():
    study = Study.model_validate({"title": "x", "train": TRAIN, "vary": {"model.size": ["small"]}})
    (cell,) = study.all_cells()
    assert cell.spec == TrainSpec.model_validate({**TRAIN, "model": {"kind": "transformer", "size": "small"}})


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"vary": {"local_step": [1]}}, "local_step is not a key of a training spec; it has dataset, root"),
        ({"vary": {"model.sizes": ["tiny"]}}, "model.sizes is not a key"),
        ({"vary": {"rounds": [0]}}, "rounds: Input should be greater than or equal to 1"),
        ({"cells": [{"rounds": 1}, {"local_steps": 1}]}, "all cells should have the same keys"),
        ({"cells": []}, "at least 1"),
    ],
)
def test_a_wrong_cell_is_refused_before_anything_is_trained(tmp_path, fields, says):
    import yaml

    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump({"title": "x", "train": TRAIN, **fields}))
    with pytest.raises(SpecError, match=says):
        load_spec(path, [], Study)


@pytest.mark.parametrize("path", sorted(SPECS.glob("studies/*.yaml")), ids=lambda path: path.stem)
def test_our_studies_can_be_run(path):
    study = load_spec(path, [], Study)
    cells = list(study.all_cells())
    assert len(cells) > 1 or len(study.train.algorithms) > 2
    if "rounds" in cells[0].settings:
        assert len({cell.spec.rounds * cell.spec.local_steps for cell in cells}) == 1, "as many examples in each"


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.yaml")), ids=lambda path: path.stem)
def test_our_trainings_can_be_run(path):
    assert load_spec(path, [], TrainSpec).algorithms
