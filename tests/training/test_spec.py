"""What a training spec refuses, and what the name of a trial depends on."""

from __future__ import annotations

import pytest
import yaml
from pydantic import ValidationError

from groupstream import SpecError
from specs import load_spec
from training.spec import TrainSpec
from training.spec_algorithms import FedSgd

FIELDS = {"dataset": "news"}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"algorithms": [{"kind": "fedavg"}, {"kind": "fedavg"}]}, "the algorithm fedavg stands twice"),
        ({"seeds": [0, 1, 0]}, "the seed 0 stands twice"),
        ({"seeds": [1 << 32]}, "less than 4294967296"),
        ({"seeds": [-1]}, "greater than or equal to 0"),
        ({"evaluation": {"learning_rates": [0.1, 0.1]}}, "the learning rate 0.1 stands twice"),
        ({"clients_at_once": 3}, "clients_at_once 3 does not divide a cohort of 8"),
        ({"root": "s3://key:secret@bucket/x"}, "would be stored"),
        ({"dataset": "https://me:secret@host/news/1.0.0"}, "would be stored"),
        ({"algorithms": [{"kind": "scaffold", "client": {"momentum": 0.9}}]}, "momentum"),
        ({"algorithms": [{"kind": "reptile", "weighting": "targets"}]}, "uniform"),
    ],
)
def test_what_is_wrong_is_refused(fields, says):
    with pytest.raises(ValidationError, match=says):
        TrainSpec.model_validate({**FIELDS, **fields})


def test_a_key_that_does_not_exist_is_an_error_in_a_file_and_ignored_from_a_form(tmp_path):
    """A page sends what was entered in another tab along."""
    of_another_tab = {**FIELDS, "algorithms": [{"kind": "fedsgd", "client": {"momentum": 0.5}}]}
    assert TrainSpec.model_validate(of_another_tab).algorithms == [FedSgd()]
    for fields, says in ((of_another_tab, r"client is not a key"), ({**FIELDS, "rouds": 10}, "rouds is not a key")):
        (tmp_path / "spec.yaml").write_text(yaml.safe_dump(fields))
        with pytest.raises(SpecError, match=says):
            load_spec(tmp_path / "spec.yaml", [], TrainSpec)


def digest(**fields) -> str:
    spec = TrainSpec.model_validate({**FIELDS, **fields})
    return spec.trial_digest(spec.algorithms[0], spec.seeds[0], "abc")


@pytest.mark.parametrize(
    "fields",
    [
        {"algorithms": [{"kind": "fedavg", "name": "another"}, {"kind": "fedsgd"}, {"kind": "ditto"}]},
        {"evaluation": {"protocol": "paper", "learning_rates": [0.5], "max_groups": 7, "num_steps": 3}},
        {"checkpoint_rounds": 1},
        {"seeds": [0, 1]},
        {"root": "/elsewhere"},
    ],
)
def test_a_trial_does_not_depend_on_what_stands_beside_it_or_how_it_is_measured(fields):
    assert digest(**fields) == digest()


@pytest.mark.parametrize(
    "fields",
    [
        {"algorithms": [{"kind": "fedavg", "client": {"momentum": 0.1}}]},
        {"evaluation": {"fraction": 0.2}},
        {"evaluation": {"seed": 1}},
        {"rounds": 101},
        {"seeds": [1]},
        {"model": {"kind": "transformer", "tokenizer": {"kind": "bytes"}}},
    ],
)
def test_a_trial_depends_on_what_is_trained(fields):
    assert digest(**fields) != digest()


def test_a_trial_depends_on_the_releases_of_libraries(monkeypatch):
    before = digest()
    monkeypatch.setattr("training.spec.version", lambda name: "99")
    assert digest() != before
