"""The root for Prefect, applied to a mock of its provider: it says what prefect.yaml and automations.yaml say."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.integration  # Terraform runs a dozen times

REPOSITORY = Path(__file__).parents[2]
NO_ID = "00000000-0000-0000-0000-000000000000"
FOLDER = REPOSITORY / "infra" / "terraform" / "prefect"
SERVER = {"endpoint": "http://localhost:4200/api", "checkout": str(REPOSITORY)}
CLOUD = {"endpoint": "https://api.prefect.cloud", "account_id": "made-account", "workspace_id": "made-workspace"}
GOOGLE = {  # as the root google puts it out
    "pool_type": "kubernetes",
    "pool_defaults": {"node_selector": {"groupstream/pool": "builds"}, "tolerations": [{"key": "groupstream/pool"}]},
    "pod": {"initContainers": [{"name": "cloud-sql-proxy", "image": "proxy:2", "restartPolicy": "Always"}]},
    "create_gpu_pool": True,
    "flow_job_variables": {
        "maintain": {"service_account_name": "maintainer", "env": {"GROUPSTREAM_REGISTRY_URL": "m"}}
    },
    "starting_seconds": 900,
    "environment": {"GROUPSTREAM_ROOT": "gs://my-datasets/datasets", "GROUPSTREAM_REGISTRY_URL": "w"},
    "image": "europe-west4-docker.pkg.dev/my-project/groupstream/worker:1",
}


@pytest.fixture(scope="module")
def mocks() -> dict:
    """A server that knows Prefect's own templates of jobs."""
    from prefect.workers.process import ProcessWorker

    configs = {"process": json.dumps(ProcessWorker.get_default_base_job_template())}
    known = {"defaults": {"base_job_configs": configs}}
    return {"prefect": {"mock_data": {"prefect_worker_metadata": known}}}


@pytest.fixture(scope="module")
def definitions() -> list[dict]:
    return yaml.safe_load((REPOSITORY / "prefect.yaml").read_text())["deployments"]


@pytest.fixture(scope="module")
def schemas_file(tmp_path_factory) -> Path:
    printed = subprocess.run(
        [sys.executable, str(FOLDER / "parameter_schemas.py")],
        cwd=REPOSITORY,
        env={"PYTHONPATH": str(REPOSITORY), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    file = tmp_path_factory.mktemp("schemas") / "schemas.json"
    file.write_text(printed.stdout)
    return file


@pytest.fixture(scope="module")
def on_google(make, mocks, schemas_file):
    hook = {"webhook_url": "https://chat.example.com/hook"}
    made = make("prefect", mocks, **SERVER, **GOOGLE, **hook, parameter_schemas_file=str(schemas_file))
    assert made.problems == []
    return made


@pytest.fixture(scope="module")
def local(make, mocks):
    made = make("prefect", mocks, **SERVER)
    assert made.problems == []
    return made


def flow_of(definition: dict) -> str:
    return definition["entrypoint"].rsplit(".", 1)[1].replace("_", "-")


def test_deployments_are_those_of_prefect_yaml(on_google, definitions):
    made = {each["name"]: each for each in on_google.kind("prefect_deployment")}
    assert set(made) == {each["name"] for each in definitions}
    for wanted in definitions:
        each = made[wanted["name"]]
        assert each["entrypoint"] == wanted["entrypoint"] and each["description"] == wanted["description"]
        assert set(each["tags"]) == set(wanted["tags"])
        assert json.loads(each["parameters"]) == wanted.get("parameters", {})
        strategy = {"collision_strategy": each["concurrency_options"]["collision_strategy"]}
        assert {"limit": each["concurrency_limit"], **strategy} == wanted["concurrency_limit"]
        assert json.loads(each["job_variables"])["env"].items() >= wanted["work_pool"]["job_variables"]["env"].items()
    assert set(on_google.outputs["deployments"]) == {f"{flow_of(each)}/{each['name']}" for each in definitions}


def test_schedules_are_those_of_prefect_yaml(on_google, definitions):
    keys = ("cron", "timezone", "active")
    wanted = [tuple(schedule[key] for key in keys) for each in definitions for schedule in each.get("schedules", [])]
    made = [tuple(each[key] for key in keys) for each in on_google.kind("prefect_deployment_schedule")]
    assert sorted(made) == sorted(wanted) and not any(active for *_, active in made)


def test_flows_are_those_of_the_code(on_google, definitions):
    entrypoints = {each["entrypoint"].rpartition(".") for each in definitions}
    names = {getattr(import_module(module), name).name for module, _, name in entrypoints}
    assert {each["name"] for each in on_google.kind("prefect_flow")} == names


def test_deployments_have_the_forms_of_their_flows(on_google, local):
    from prefect.utilities.schema_tools.validation import validate

    for each in on_google.kind("prefect_deployment"):
        form = json.loads(each["parameter_openapi_schema"])
        assert each["enforce_parameter_schema"] and form["properties"]
        validate(json.loads(each["parameters"]), form, raise_on_error=True, ignore_required=True)
    [generic] = [each for each in on_google.kind("prefect_deployment") if each["name"] == "build-dataset"]
    assert list(json.loads(generic["parameter_openapi_schema"])["properties"]) == ["spec"]
    assert not any(each["enforce_parameter_schema"] for each in local.kind("prefect_deployment"))


@pytest.fixture(scope="module")
def automations() -> dict[str, dict]:
    return {each["name"]: each for each in yaml.safe_load((REPOSITORY / "automations.yaml").read_text())["automations"]}


def trigger_of(automation: dict) -> dict:
    """As automations.yaml writes it."""
    event = {key: value for key, value in automation["trigger"]["event"].items() if value is not None}
    return {"type": "event"} | {k: json.loads(v) if k.startswith("match") else v for k, v in event.items()}


def in_fifteen_minutes(text: str) -> str:
    assert GOOGLE["starting_seconds"] == 900 and "within ten minutes" in text
    return text.replace("within ten minutes", "within 15 minutes")


def test_automations_are_those_of_the_file(on_google, automations):
    made = {each["name"]: each for each in on_google.kind("prefect_automation")}
    assert set(made) == set(automations)
    for name, wanted in automations.items():
        trigger = trigger_of(made[name])
        within = {"within": GOOGLE["starting_seconds"]} if name.endswith("-starts") else {}
        assert {key: trigger[key] for key in wanted["trigger"]} == wanted["trigger"] | within
        assert trigger.keys() - wanted["trigger"].keys() <= {"after", "match_related", "for_each"}
        assert made[name]["enabled"] == wanted["enabled"]
        description = wanted["description"]
        assert made[name]["description"] == (in_fifteen_minutes(description) if within else description)


def test_actions_are_those_of_the_file_with_ids_for_names(on_google, automations):
    made = {each["name"]: each["actions"] for each in on_google.kind("prefect_automation")}
    [block] = on_google.kind("prefect_block")
    for name, wanted in automations.items():
        for action, expected in zip(made[name], wanted["actions"], strict=True):
            told = {key: value for key, value in action.items() if value is not None}
            if "parameters" in told:
                told["parameters"] = json.loads(told["parameters"])
            if deployment := expected.get("deployment"):
                assert told.pop("deployment_id") == on_google.outputs["deployments"][deployment]
            if expected.get("block"):
                assert told.pop("block_document_id") == block["id"] and block["name"] in expected["block"]
            if name.endswith("-starts"):
                expected = expected | {"message": in_fifteen_minutes(expected["message"])}
            assert told == {key: value for key, value in expected.items() if key not in ("deployment", "block")}


def test_a_run_has_time_to_start_where_machines_are_found_first(on_google):
    [starts] = [each for each in on_google.kind("prefect_automation") if each["name"].endswith("-starts")]
    assert starts["trigger"]["event"]["within"] == GOOGLE["starting_seconds"]


def test_without_a_webhook_there_is_nothing_that_needs_it(local, on_google, automations):
    [block] = on_google.kind("prefect_block")
    assert json.loads(block["data"]) == {"method": "POST", "url": "https://chat.example.com/hook"}
    needing = {name for name, each in automations.items() if any("block" in action for action in each["actions"])}
    assert local.kind("prefect_block") == []
    assert {each["name"] for each in local.kind("prefect_automation")} == set(automations) - needing


def test_automations_are_what_prefect_takes(on_google):
    from prefect.events.schemas.automations import AutomationCore

    for each in on_google.kind("prefect_automation"):
        actions = [{key: value for key, value in action.items() if value is not None} for action in each["actions"]]
        for action in actions:
            action |= {key: NO_ID for key in action if key.endswith("_id")}
            action |= {"parameters": json.loads(action["parameters"])} if "parameters" in action else {}
        AutomationCore.model_validate({"name": each["name"], "trigger": trigger_of(each), "actions": actions})


def test_a_run_in_the_cluster_is_a_job_with_the_proxy_beside_it(on_google):
    from prefect.utilities.templating import apply_values

    pools = {each["name"]: each for each in on_google.kind("prefect_work_pool")}
    template = json.loads(pools["groupstream"]["base_job_template"])
    defaults = {k: v["default"] for k, v in template["variables"]["properties"].items() if v.get("default") is not None}
    values = defaults | {"name": "build", "command": "prefect flow-run execute", "image": "worker:1", "env": {}}
    pod = apply_values(template["job_configuration"], values)["job_manifest"]["spec"]["template"]["spec"]
    assert pools["groupstream"]["type"] == "kubernetes" and pod["serviceAccountName"] == "builder"
    assert pod["nodeSelector"] == {"groupstream/pool": "builds"} and pod["tolerations"][0]["key"] == "groupstream/pool"
    assert [each["name"] for each in pod["initContainers"]] == ["cloud-sql-proxy"]
    assert [each["image"] for each in pod["containers"]] == ["worker:1"] and pod["securityContext"]["runAsNonRoot"]
    gpu = json.loads(pools["groupstream-gpu"]["base_job_template"])
    assert gpu == json.loads((REPOSITORY / "infra" / "kubernetes" / "gpu-job-template.json").read_text())


def test_each_flow_runs_with_the_rights_that_it_needs(on_google):
    variables = {each["name"]: json.loads(each["job_variables"]) for each in on_google.kind("prefect_deployment")}
    assert variables["maintain"]["service_account_name"] == "maintainer"
    assert variables["maintain"]["env"]["GROUPSTREAM_REGISTRY_URL"] == "m"
    build = variables["build-dataset"]
    assert "service_account_name" not in build and build["env"]["GROUPSTREAM_REGISTRY_URL"] == "w"
    assert build["image"] == "{{ prefect.variables.groupstream_image }}"
    [image] = on_google.kind("prefect_variable")
    assert (image["name"], image["value"]) == ("groupstream_image", GOOGLE["image"])


def test_without_an_image_the_pool_runs_processes(local):
    [pool] = local.kind("prefect_work_pool")
    assert (pool["name"], pool["type"]) == ("groupstream", "process") and local.kind("prefect_variable") == []
    assert all("image" not in json.loads(each["job_variables"]) for each in local.kind("prefect_deployment"))


def test_prefect_cloud_has_an_address_for_each_workspace(make, mocks, local):
    cloud = make("prefect", mocks, checkout=str(REPOSITORY), **CLOUD)
    url = "https://api.prefect.cloud/api/accounts/made-account/workspaces/made-workspace"
    assert cloud.outputs["worker_environment"] == {"PREFECT_API_URL": url}
    assert local.outputs["worker_environment"] == {"PREFECT_API_URL": SERVER["endpoint"]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoint": "https://me:secret@example.com/api"},
        {"account_id": "made-account"},
        {"pool_type": "ecs"},
        {"create_gpu_pool": True},
        {"pod": {"nodeSelector": {}}},
        {"environment": {"GROUPSTREAM_REGISTRY_URL": "postgresql://me:secret@db/groupstream"}},
        {"webhook_url": "http://chat.example.com/hook"},
        {"flow_job_variables": {"train": {}}},
        {"starting_seconds": 60},
    ],
)
def test_a_wrong_setting_is_refused(make, mocks, wrong):
    problems = make("prefect", mocks, **SERVER | wrong).problems
    assert problems and all("Invalid value for variable" in each for each in problems)
