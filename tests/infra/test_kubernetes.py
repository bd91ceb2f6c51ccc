"""The manifests: their schemas, what the pods may do, and the jobs that Prefect's worker makes of the templates."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

kubernetes_validate = pytest.importorskip("kubernetes_validate")
prefect_kubernetes = pytest.importorskip("prefect_kubernetes")

FOLDER = Path(__file__).parents[2] / "infra" / "kubernetes"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
MANIFESTS = [
    manifest for name in KUSTOMIZATION["resources"] for manifest in yaml.safe_load_all((FOLDER / name).read_text())
]
TEMPLATES = ("job-template.json", "gpu-job-template.json")
PODS = [manifest["spec"]["template"]["spec"] for manifest in MANIFESTS if manifest["kind"] in ("Deployment", "Job")]


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in MANIFESTS if each["kind"] == kind}


def template(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / name).read_text())


def job(name: str, **variables: Any) -> dict[str, Any]:
    """The job that a worker makes of a template for a run, by Prefect's own code."""
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun, State, StateType
    from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

    async def configure() -> Any:
        nobody = PrefectClient("http://127.0.0.1:9/api")  # no placeholder is a block, so nothing is asked
        return await KubernetesWorkerJobConfiguration.from_template_and_values(template(name), variables, client=nobody)

    configuration = asyncio.run(configure())
    run = FlowRun(id=uuid4(), name="build news", flow_id=uuid4(), state=State(type=StateType.PENDING))
    configuration.prepare_for_flow_run(run)
    return configuration.job_manifest


def pod(manifest: dict[str, Any]) -> dict[str, Any]:
    return manifest["spec"]["template"]["spec"]


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda each: f"{each['kind']}-{each['metadata']['name']}")
def test_a_manifest_is_as_kubernetes_wants_it(manifest):
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def test_kustomize_takes_every_file():
    sources = [
        file
        for each in KUSTOMIZATION["configMapGenerator"]
        for kind in ("envs", "files")
        for file in each.get(kind, [])
    ]
    there = {path.name for path in FOLDER.iterdir()} - {"kustomization.yaml"}
    assert {*KUSTOMIZATION["resources"], *sources} == there


def test_kustomize_makes_of_them_what_kubernetes_takes():
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("no kubectl on PATH")
    made = subprocess.run([kubectl, "kustomize", FOLDER], capture_output=True, text=True, timeout=60, check=False)
    assert made.returncode == 0 and made.stderr == ""
    manifests = list(yaml.safe_load_all(made.stdout))
    assert len(manifests) == len(MANIFESTS) + len(KUSTOMIZATION["configMapGenerator"])
    for manifest in manifests:
        kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)
        assert manifest["kind"] == "Namespace" or manifest["metadata"]["namespace"] == "groupstream"
    images = set(re.findall(r"image: (\S+)", made.stdout))
    assert images == {"groupstream-worker:latest"}  # as kustomization.yaml says, in the init containers too


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_run_becomes_a_job_that_kubernetes_takes(name):
    manifest = job(
        name, command="prefect flow-run execute", env={"A": "1"}, node_selector={"groupstream/pool": "builds"}
    )
    for misplaced in (
        "parallelism",
        "completions",
    ):  # Prefect insists on having them there, and Kubernetes ignores them
        assert pod(manifest).pop(misplaced) == manifest["spec"][misplaced] == 1
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)
    assert manifest["spec"]["template"]["spec"]["nodeSelector"] == {"groupstream/pool": "builds"}
    assert {"name": "A", "value": "1"} in pod(manifest)["containers"][0]["env"]
    assert "{{" not in json.dumps(manifest)


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_has_all_that_the_one_of_prefect_has(name):
    ours, theirs = template(name), prefect_kubernetes.KubernetesWorker.get_default_base_job_template()
    assert ours["variables"]["properties"].keys() >= theirs["variables"]["properties"].keys()
    assert ours["job_configuration"].keys() == theirs["job_configuration"].keys()
    placeholders = set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(ours["job_configuration"])))
    assert placeholders == ours["variables"]["properties"].keys()  # none that does nothing, none that nothing fills


def test_a_run_on_a_graphics_card_differs_in_what_that_takes():
    usual, gpu = (pod(job(name)) for name in TEMPLATES)
    assert gpu["containers"][0]["resources"]["limits"].pop("nvidia.com/gpu") == "1"
    assert gpu["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert (usual["serviceAccountName"], gpu["serviceAccountName"]) == ("builder", "trainer")
    assert (usual["containers"][0]["image"], gpu["containers"][0]["image"]) == (
        "groupstream-worker:latest",
        "groupstream-gpu:latest",
    )
    for each in (usual, gpu):
        del each["serviceAccountName"], each["tolerations"], each["containers"][0]["image"]
        del each["containers"][0]["resources"], each["containers"][0]["env"]
    assert usual == gpu


@pytest.mark.parametrize("spec", [*PODS, *(pod(job(name)) for name in TEMPLATES)])
def test_a_pod_is_closed_and_has_its_limits(spec):
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert all("sizeLimit" in volume["emptyDir"] for volume in spec["volumes"] if "emptyDir" in volume)
    assert spec.get("automountServiceAccountToken") is False or spec["serviceAccountName"] == "worker"
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}
        }  # fmt: skip
        assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]
        assert {"/home/worker", "/tmp"} <= {mount["mountPath"] for mount in container["volumeMounts"]}


def test_what_pods_refer_to_is_there_or_on_the_page():
    page = (FOLDER.parents[1] / "docs/deploy/kubernetes.md").read_text()
    text = json.dumps([*PODS, *(pod(job(name)) for name in TEMPLATES)])
    generated = {each["name"] for each in KUSTOMIZATION["configMapGenerator"]}
    assert set(re.findall(r'"(?:configMapRef|configMap)": \{"name": "([\w-]+)"', text)) == generated
    for secret in re.findall(r'"secretRef": \{"name": "([\w-]+)"', text):
        assert f"create secret generic {secret} " in page
    assert set(re.findall(r'"serviceAccountName": "([\w-]+)"', text)) <= of_kind("ServiceAccount").keys()


def test_a_worker_may_do_what_prefect_does_and_no_more():
    from prefect_kubernetes import observer, worker

    code = inspect.getsource(worker) + inspect.getsource(observer)
    calls = set(re.findall(r"\.(create|read|list|delete|patch|replace)_namespaced_(job|pod_log|pod|event)\(", code))
    verbs = {"read": "get", "replace": "update"}
    needed = {
        (resource.replace("_", "s/", 1) if "_" in resource else f"{resource}s", verbs.get(verb, verb))
        for verb, resource in calls
    }
    needed |= {(resource, verb) for resource in ("jobs", "pods") for verb in ("list", "watch")}  # kopf.on.event
    rules = of_kind("Role")["worker"]["rules"]
    allowed = {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}
    assert needed <= allowed
    assert not {resource for resource, _ in allowed} & {"secrets", "configmaps", "*"}
    assert not of_kind("ClusterRole")


def test_the_word_of_the_api_stays_in_its_secret():
    (container,) = pod(of_kind("Deployment")["worker"])["containers"]
    given = {each["name"]: each["value"] for each in container["env"]}
    for key in ("PREFECT_API_AUTH_STRING", "PREFECT_API_KEY"):
        kind = key.removeprefix("PREFECT_")
        prefix = f"PREFECT_INTEGRATIONS_KUBERNETES_WORKER_{kind}_SECRET"
        assert (given[f"{prefix}_NAME"], given[f"{prefix}_KEY"]) == ("prefect-api", key)
