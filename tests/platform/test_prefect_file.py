"""What stands in prefect.yaml, and that it is what the specs say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import validate

from groupstream import SpecError, UsageError
from orchestration.definitions import read_definitions
from orchestration.deploying import read_deployables
from orchestration.webhook import WEBHOOK_URL
from specs import Spec, load_spec

REPOSITORY = Path(__file__).parents[2]
SPECS = sorted((REPOSITORY / "specs").glob("*.yaml"))
DEFINITIONS = {each.name: each for each in read_definitions(REPOSITORY / "prefect.yaml")}


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_every_spec_has_a_deployment_that_builds_what_it_says(path):
    spec = load_spec(path)
    definition = DEFINITIONS[spec.name]
    assert Spec.model_validate(definition.parameters["spec"], extra="forbid") == spec
    assert definition.concurrency_limit.limit == 1, "never two builds of one dataset at once"
    assert {"groupstream", spec.name} <= set(definition.tags)
    assert spec.description.split(".")[0][:40] in " ".join(definition.description.split())
    assert f"specs/{path.name}" in definition.description
    assert [each.active for each in definition.schedules] == [False]


def test_the_deployments_of_specs_begin_at_times_of_their_own():
    crons = [each.schedules[0].cron for each in DEFINITIONS.values() if each.schedules]
    assert len(set(crons)) == len(crons)


def test_the_file_is_as_rendered():
    script = str(REPOSITORY / "scripts" / "render_deployments.py")
    subprocess.run([sys.executable, script, "--check"], check=True)


@pytest.mark.parametrize("definition", DEFINITIONS.values(), ids=DEFINITIONS)
def test_the_server_takes_the_parameters(definition):
    schema = parameter_schema(load_flow_from_entrypoint(definition.entrypoint)).model_dump(exclude_unset=True)
    assert validate(definition.parameters, schema, ignore_required=True) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[]", "holds list, not keys and values; begin with: deployments:"),
        ("a: [", "is not readable YAML"),
        ("deployments: [{name: x}]", "deployment x: entrypoint: Field required"),
        ("deployments: [{name: x, paramters: {}}]", "deployment x: .*"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(tmp_path, text, says):
    path = tmp_path / "prefect.yaml"
    path.write_text(text)
    with pytest.raises(SpecError, match=says) as caught:
        read_definitions(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_said_with_the_way_out(tmp_path):
    with pytest.raises(SpecError, match=r"no prefect.yaml in .*; run in a checkout, or name its prefect.yaml"):
        read_definitions(tmp_path / "prefect.yaml")


def test_a_wrong_address_of_the_webhook_is_refused_before_anything_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv(WEBHOOK_URL, "a-secret-and-no-address")
    with pytest.raises(UsageError, match="is no address"):
        read_deployables(tmp_path / "not-there.yaml")
