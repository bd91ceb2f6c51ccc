"""The root for Google Cloud, put together in several ways and applied to a mock of the provider."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration  # Terraform runs a dozen times

INFRA = Path(__file__).parents[2] / "infra" / "terraform"
VARIABLES = {"project": "my-project", "region": "europe-west4", "bucket": "my-datasets"}
EVERYTHING = {f"create_{name}": True for name in ("network", "images", "dataflow", "cluster", "gpu_pool", "vertex_ai")}
ACCOUNTS = {
    **{f'module.store.google_service_account.role["{role}"]': role for role in ("reader", "writer", "maintainer")},
    "module.images[0].google_service_account.images": "images",
    "module.dataflow[0].google_service_account.worker": "dataflow",
    "module.cluster[0].google_service_account.nodes": "nodes",
    "module.vertex_ai[0].google_service_account.submitter": "vertex",
}
ROLES = {  # every role that is given, and what it is for
    "roles/aiplatform.user": "starts training on Vertex AI",
    "roles/artifactregistry.reader": "pulls images, of one repository",
    "roles/artifactregistry.writer": "CI pushes images, to one repository",
    "roles/cloudsql.client": "reaches the registry",
    "roles/cloudsql.instanceUser": "signs in to the registry",
    "roles/container.defaultNodeServiceAccount": "machines write logs and metrics",
    "roles/dataflow.developer": "starts and cancels jobs",
    "roles/dataflow.worker": "machines of Dataflow take work",
    "roles/iam.serviceAccountTokenCreator": "people act as an account, on that account",
    "roles/iam.serviceAccountUser": "jobs run as an account, on that account",
    "roles/iam.workloadIdentityUser": "workloads act as an account, on that account",
    "roles/storage.objectCreator": "creates and does not overwrite",
    "roles/storage.objectUser": "overwrites and removes, under a condition",
    "roles/storage.objectViewer": "lists and reads",
}
CONDITIONS = {
    "not pulls, not unfinished builds": "not_private",
    "pulls only": "pulls",
    "under the prefix": "all",
    "catalogs and unfinished builds only": "changeable",
    "unfinished builds only": "staging",
}
IN_A_PROJECT = {"cloudsql.client", "cloudsql.instanceUser", "container.defaultNodeServiceAccount"} | {
    "dataflow.developer",
    "dataflow.worker",
    "aiplatform.user",
}


def address(account: str) -> str:
    return f"{account}@my-project.iam.gserviceaccount.com"


def mocks(accounts: dict[str, str]) -> dict:
    """Accounts whose addresses tell them apart."""
    overridden = [
        {
            "target": target,
            "values": {"email": address(name), "name": f"projects/my-project/serviceAccounts/{address(name)}"},
        }
        for target, name in accounts.items()
    ]
    return {"google": {"override_resource": overridden}}


@pytest.fixture(scope="module")
def everything(make):
    settings = {"github_repositories": ["team/groupstream"], "source_buckets": ["raw-news"]}
    made = make("google", mocks(ACCOUNTS), **VARIABLES, **EVERYTHING, **settings)
    assert made.problems == []
    return made


@pytest.fixture(scope="module")
def smallest(make):
    made = make("google", mocks({k: v for k, v in ACCOUNTS.items() if ".store." in k}), **VARIABLES)
    assert made.problems == []
    return made


def test_a_bucket_and_a_registry_are_all_that_is_made_unasked(smallest):
    kinds = {address.split(".")[2] for address in smallest.resources if address.startswith("module.")}
    assert not any(re.match("google_(compute|container|artifact|iam_workload)", kind) for kind in kinds)
    assert {"images", "cluster", "dataflow_runner"}.isdisjoint(smallest.outputs)
    assert smallest.outputs["GROUPSTREAM_ROOT"] == "gs://my-datasets/datasets"


def test_each_role_is_on_the_list(everything):
    given = {each["role"] for address, each in everything.resources.items() if "_iam_member." in address}
    assert given == set(ROLES) - {"roles/iam.serviceAccountTokenCreator"}  # for people, of whom there is none here
    written = {role for path in INFRA.rglob("*.tf") for role in re.findall(r'"(roles/[\w.]+)"', path.read_text())}
    assert written == set(ROLES)
    assert not [role for role in ROLES if re.search(r"(?i)admin|owner|editor", role)]


def test_few_roles_are_given_on_the_whole_project(everything):
    given = {each["role"].removeprefix("roles/") for each in everything.kind("google_project_iam_member")}
    assert given == IN_A_PROJECT


def test_nothing_is_open_to_the_public(everything):
    members = {each["member"] for name, each in everything.resources.items() if "_iam_member." in name}
    assert members and not [each for each in members if re.match("all(Authenticated)?Users", each)]
    [pool] = {json.dumps(each["private_cluster_config"]) for each in everything.kind("google_container_cluster")}
    assert json.loads(pool)[0]["enable_private_nodes"]
    [instance] = everything.kind("google_sql_database_instance")
    assert instance["settings"][0]["ip_configuration"][0]["ipv4_enabled"] is False
    rules = everything.kind("google_compute_firewall")
    assert [each["source_tags"] for each in rules] == [["dataflow"]] and not any(
        each["source_ranges"] for each in rules
    )


def test_dataflow_writes_unfinished_builds_only(everything):
    member = f"serviceAccount:{address('dataflow')}"
    given = {
        (each["bucket"], each["role"], *(condition["title"] for condition in each["condition"]))
        for each in everything.kind("google_storage_bucket_iam_member")
        if each["member"] == member
    }
    assert given == {
        ("my-datasets", "roles/storage.objectUser", "unfinished builds only"),
        ("my-datasets", "roles/storage.objectViewer", "not pulls, not unfinished builds"),
        ("raw-news", "roles/storage.objectViewer"),
    }


def test_a_condition_is_what_its_title_says(make, everything):
    rules = make("access_rules", {}, bucket="my-datasets", prefix="datasets").outputs["gcs_conditions"]
    members = everything.kind("google_storage_bucket_iam_member")
    found = {(each["title"], each["expression"]) for member in members for each in member["condition"]}
    assert found == {(title, rules[name]) for title, name in CONDITIONS.items()}


def test_whoever_starts_a_job_acts_as_one_account_only(everything):
    given = {
        (each["member"], each["service_account_id"].rsplit("/", 1)[1])
        for each in everything.kind("google_service_account_iam_member")
        if each["role"] == "roles/iam.serviceAccountUser"
    }
    starts = {("writer", "dataflow"), ("vertex", "reader")}
    assert given == {(f"serviceAccount:{address(who)}", address(whom)) for who, whom in starts}


def test_workloads_act_as_the_account_of_what_they_do(everything):
    given = {
        (each["member"], each["service_account_id"].rsplit("/", 1)[1].split("@")[0])
        for each in everything.kind("google_service_account_iam_member")
        if each["role"] == "roles/iam.workloadIdentityUser" and each["member"].startswith("serviceAccount:")
    }
    pairs = {"builder": "writer", "trainer": "reader", "maintainer": "maintainer", "worker": "vertex"}
    assert given == {(f"serviceAccount:my-project.svc.id.goog[groupstream/{k}]", v) for k, v in pairs.items()}
    assert everything.outputs["kubernetes_annotations"] == {k: address(v) for k, v in pairs.items()}


def test_images_are_pushed_by_one_branch_of_one_repository_without_a_key(everything):
    [provider] = everything.kind("google_iam_workload_identity_pool_provider")
    assert provider["attribute_condition"] == (
        '(assertion.repository == "team/groupstream") && assertion.ref == "refs/heads/main"'
    )
    [member] = [
        each["member"]
        for each in everything.kind("google_service_account_iam_member")
        if each["service_account_id"].endswith(address("images"))
    ]
    assert member.startswith("principalSet://") and member.endswith("/attribute.repository/team/groupstream")
    readers = [each["member"] for each in everything.kind("google_artifact_registry_repository_iam_member")]
    assert {each.split(":")[1].split("@")[0] for each in readers} == {"images", "nodes", "dataflow", "reader"}


def test_machines_of_builds_and_gpus_are_there_only_while_a_run_needs_them(everything):
    pools = {each["name"]: each for each in everything.kind("google_container_node_pool")}
    sizes = {
        name: (each["initial_node_count"], each["autoscaling"][0]["total_min_node_count"])
        for name, each in pools.items()
    }
    assert sizes == {"worker": (1, 1), "builds": (0, 0), "gpus": (0, 0)}
    [gpu] = pools["gpus"]["node_config"][0]["guest_accelerator"]
    assert (gpu["type"], gpu["count"]) == ("nvidia-l4", 1)
    assert all(each["node_config"][0]["service_account"] == address("nodes") for each in pools.values())
    [taint] = pools["builds"]["node_config"][0]["taint"]
    [tolerated] = everything.outputs["prefect"]["pool_defaults"]["tolerations"]
    assert (taint["key"], taint["value"]) == (tolerated["key"], tolerated["value"])
    assert taint["effect"] == "NO_SCHEDULE" and tolerated["effect"] == "NoSchedule"


def test_a_spec_takes_the_runner_as_it_is(everything):
    from specs.runner import Dataflow

    image = {"sdk_container_image": everything.outputs["images"]["address"] + "/beam:1"}
    runner = Dataflow.model_validate(everything.outputs["dataflow_runner"] | image, extra="forbid")
    assert runner.service_account == address("dataflow") and runner.use_public_ips is False


@pytest.mark.parametrize(
    "other",
    [
        {"project": "another-project"},
        {"service_account": address("writer")},
        {"sdk_container_image": "registry.example.com/beam:1"},
        {"use_public_ips": True},
        {"subnetwork": "regions/europe-west4/subnetworks/another"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_a_run_may_be_on_this_dataflow_and_on_no_other(everything, monkeypatch, other):
    from groupstream import SpecError
    from specs.policy_runners import refuse_forbidden_runner
    from specs.runner import Dataflow

    image = {"sdk_container_image": everything.outputs["images"]["address"] + "/beam:1"}
    runner = Dataflow.model_validate(everything.outputs["dataflow_runner"] | image)
    allowed = everything.outputs["worker_environment"]["GROUPSTREAM_ALLOWED_RUNNERS"]
    monkeypatch.setenv("GROUPSTREAM_ALLOWED_RUNNERS", allowed)
    refuse_forbidden_runner(runner)
    with pytest.raises(SpecError, match=f"runner.{next(iter(other))}"):
        refuse_forbidden_runner(runner.model_copy(update=other))


def test_whoever_builds_reads_the_sources(everything):
    member = f"serviceAccount:{address('writer')}"
    members = everything.kind("google_storage_bucket_iam_member")
    given = {each["role"] for each in members if (each["bucket"], each["member"]) == ("raw-news", member)}
    assert given == {"roles/storage.objectViewer"}


def test_a_run_is_allowed_what_there_is(everything, smallest):
    environment = everything.outputs["worker_environment"]
    assert environment["GROUPSTREAM_ROOT"] == environment["GROUPSTREAM_ALLOWED_ROOTS"] == "gs://my-datasets/datasets"
    assert smallest.outputs["worker_environment"]["GROUPSTREAM_ALLOWED_RUNNERS"] == "local"


@pytest.mark.parametrize(
    "variables",
    [
        {"create_gpu_pool": True},
        {"create_cluster": True},
        {"create_network": True, "network": "projects/my-project/global/networks/old"},
        {"create_images": True, "github_repositories": ["team"]},
    ],
)
def test_what_does_not_go_together_is_refused(make, variables):
    problems = make("google", {"google": {}}, **VARIABLES, **variables).problems
    assert problems and all("Invalid value for variable" in each for each in problems)


def test_the_root_for_prefect_takes_what_this_one_puts_out(everything, smallest):
    text = (INFRA / "prefect" / "variables.tf").read_text()
    known = set(re.findall(r'^variable "(\w+)"', text, re.MULTILINE))
    assert set(smallest.outputs["prefect"]) == {"environment"} < set(everything.outputs["prefect"]) < known
    maintainer = everything.outputs["prefect"]["flow_job_variables"]["maintain"]["env"]
    assert maintainer == {"GROUPSTREAM_REGISTRY_URL": everything.outputs["GROUPSTREAM_REGISTRY_URL"]["maintainer"]}
