"""The form of a training: what stands at the deployment is submitted as it is, a wrong value refused at its field."""

from __future__ import annotations

from typing import Any

import pytest

from training.spec import TrainSpec

pytestmark = [pytest.mark.browser, pytest.mark.integration]

DEPLOYMENT = "train-and-benchmark/train-and-benchmark"


def test_a_training_is_described_in_a_form(platform: Any, open_form: Any) -> None:
    form = open_form(DEPLOYMENT)
    form.fill("not-there", "spec", "Dataset")
    form.fill("0", "spec", "Cohort size")
    form.submit()
    assert "greater than or equal to 1" in form.refusal_of_browser("spec", "Cohort size")

    form.fill("3", "spec", "Cohort size")
    run = platform.run(form.start())
    kept = TrainSpec.model_validate(platform.deployment(DEPLOYMENT)["parameters"]["spec"])
    given = TrainSpec.model_validate(run["parameters"]["spec"])
    assert given == kept.model_copy(update={"dataset": "not-there", "cohort_size": 3})
    ended = platform.wait_for_run(run["id"], ["FAILED"])
    assert "not-there" in ended["state"]["message"]
