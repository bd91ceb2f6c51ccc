"""The training specs in specs/training."""

from __future__ import annotations

from pathlib import Path

import pytest

from specs import load_spec
from training.spec import TrainSpec

_ROOT = Path(__file__).parents[2]
_FILES = sorted((_ROOT / "specs/training").glob("*.yaml"))
_BUILT = [*(_ROOT / "specs").glob("*.yaml"), *(_ROOT / "tests/shared_specs").glob("*.yaml")]


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.stem)
def test_a_training_spec_loads_says_what_it_is_and_trains_on_what_a_spec_builds(file: Path) -> None:
    spec = load_spec(file, [], TrainSpec)
    assert file.read_text().startswith("# ")
    built = {load_spec(path).name: load_spec(path) for path in _BUILT}
    of = built[spec.dataset]
    model = spec.model.model_dump()
    named = {*model.get("numbers", ()), *model.get("categories", ()), *filter(None, [model.get("label")])}
    assert named <= set(getattr(of.source, "features", None) or ()), "what a model reads is named where it is built"


def test_the_specs_are_found() -> None:
    assert {"demo", "mnist", "census", "cifar100"} <= {file.stem for file in _FILES}
