"""What `groupstream up` tells its server, the server of each deployment is told, too: docs/zombies.md says why."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from prefect.server.concurrency.lease_storage.filesystem import ConcurrencyLeaseStorage
from prefect.settings import PREFECT_HOME, Settings, temporary_settings
from prefect.settings.legacy import _get_valid_setting_names

from orchestration.environment import platform_environment

REPOSITORY = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "infra/compose.yaml").read_text())
MANIFESTS = list(yaml.safe_load_all((REPOSITORY / "infra/kubernetes/server.yaml").read_text()))
[POD] = [each["spec"]["template"]["spec"] for each in MANIFESTS if each["kind"] == "Deployment"]
CLAIMS = {each["metadata"]["name"]: each for each in MANIFESTS if each["kind"] == "PersistentVolumeClaim"}


def of_the_image() -> dict[str, str]:
    text = (REPOSITORY / "infra/worker/Dockerfile").read_text().replace("\\\n", "")
    return dict(pair.split("=", 1) for line in re.findall("^ENV (.*)", text, re.MULTILINE) for pair in line.split())


def by_compose() -> dict[str, str]:
    return of_the_image() | {key: str(value) for key, value in COMPOSE["services"]["server"]["environment"].items()}


def on_kubernetes() -> dict[str, str]:
    [container] = POD["containers"]
    return of_the_image() | {each["name"]: each["value"] for each in container["env"]}


def by_up() -> dict[str, str]:
    """Without where it listens, which is each deployment's own."""
    told = platform_environment(Path("/home"), "/data", 4200, given={})
    return {key: value for key, value in told.items() if re.match("PREFECT_SERVER_(?!API_)", key)}


@pytest.mark.parametrize("told", [by_compose, on_kubernetes])
def test_a_server_is_told_what_the_local_one_is(told: Callable[[], dict[str, str]]):
    assert {key: told().get(key) for key in by_up()} == by_up()


def test_the_page_names_those_that_matter_when_something_dies():
    page = (REPOSITORY / "docs/zombies.md").read_text()
    named = dict(re.findall(r"`(PREFECT_SERVER_\w+)=`?(?:<br>`)?([^`]+)`", page))
    assert len(named) == 3 and named.items() <= by_up().items()


@pytest.mark.parametrize("told", [by_compose, on_kubernetes])
def test_prefect_knows_what_a_server_is_told(told: Callable[[], dict[str, str]]):
    assert {key for key in told() if key.startswith("PREFECT_")} <= _get_valid_setting_names(Settings)


def leases() -> PurePosixPath:
    """Where the server of the image keeps them, by Prefect's own code."""
    with temporary_settings({PREFECT_HOME: of_the_image()["PREFECT_HOME"]}):
        return PurePosixPath(ConcurrencyLeaseStorage().storage_path)


def test_leases_outlive_the_container():
    mounts = [volume.split(":") for volume in COMPOSE["services"]["server"]["volumes"]]
    [volume] = [name for name, path in mounts if leases().is_relative_to(path)]
    assert volume in COMPOSE["volumes"]


def test_leases_outlive_the_pod():
    mounts = [mount for each in POD["containers"] for mount in each["volumeMounts"]]
    [name] = [mount["name"] for mount in mounts if leases().is_relative_to(mount["mountPath"])]
    [volume] = [each for each in POD["volumes"] if each["name"] == name]
    assert volume["persistentVolumeClaim"]["claimName"] in CLAIMS
