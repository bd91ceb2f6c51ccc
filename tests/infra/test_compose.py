"""The compose file: its schema, its secrets, and what its words mean to PostgreSQL, Prefect and us."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.settings import Settings
from prefect.settings.legacy import _get_valid_setting_names

REPOSITORY = Path(__file__).parents[2]
INFRA = REPOSITORY / "infra"
TEXT = (INFRA / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PACKAGES = ("specs", "registry", "orchestration", "reader/groupstream")
EXAMPLE = (INFRA / ".env.example").read_text()


def environment(service: str) -> dict[str, str]:
    return SERVICES[service].get("environment", {})


def test_it_is_a_compose_file():
    judge = [Path(sys.executable).with_name("check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]
    judged = subprocess.run([*judge, INFRA / "compose.yaml"], capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stdout


def test_secrets_are_asked_for_and_never_written():
    required = set(re.findall(r"\$\{(\w+):\?", TEXT))
    assert required == {"POSTGRES_PASSWORD", "PREFECT_DB_PASSWORD", "REGISTRY_DB_PASSWORD", "PREFECT_AUTH"}
    assert set(re.findall(r"^(\w+)=$", EXAMPLE, re.MULTILINE)) == required  # the example leaves them empty
    for name in SERVICES:
        for key, value in environment(name).items():
            if re.search("PASSWORD|AUTH", key):
                assert str(value).startswith("${"), key


def test_the_example_names_each_variable_with_its_default():
    used = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", TEXT))
    named = dict(re.findall(r"^#?(\w+)=(.*)$", EXAMPLE, re.MULTILINE))
    assert set(used) <= set(named)
    for key in ("GROUPSTREAM_RUNS_AT_ONCE", "GROUPSTREAM_MEMORY", "PREFECT_LISTEN", "GROUPSTREAM_SOURCES"):
        assert named[key] == used[key]


@pytest.mark.parametrize("file", [".env", "worker.env"])
def test_files_with_secrets_are_kept_out_of_commits(file):
    ignored = subprocess.run(["git", "check-ignore", "--no-index", f"infra/{file}"], cwd=REPOSITORY, check=False)
    assert ignored.returncode == 0


def test_only_the_ui_is_published_and_to_this_machine_alone():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"server": ["${PREFECT_LISTEN:-127.0.0.1:4200}:4200"]}


def test_who_asks_the_server_has_the_word_it_asks_for():
    word = environment("server")["PREFECT_SERVER_API_AUTH_STRING"]
    assert [environment(name)["PREFECT_API_AUTH_STRING"] for name in ("setup", "worker")] == [word, word]


def test_what_it_waits_for_can_come_true():
    for service in SERVICES.values():
        for name, wait in service.get("depends_on", {}).items():
            if wait["condition"] == "service_healthy":
                assert "test" in SERVICES[name]["healthcheck"]
            else:
                assert (wait["condition"], SERVICES[name]["restart"]) == ("service_completed_successfully", "no")


def test_what_runs_comes_back_and_what_it_writes_stays():
    restarted = {name for name, service in SERVICES.items() if service["restart"] == "unless-stopped"}
    assert restarted == {"postgres", "server", "worker"}
    volumes = {volume.split(":")[0] for each in SERVICES.values() for volume in each["volumes"]}
    assert {volume for volume in volumes if volume.isalpha()} == set(COMPOSE["volumes"])
    assert (INFRA / "postgres/databases.sql").is_file()


def test_prefect_knows_each_of_its_variables():
    """It ignores what it does not know, so a slip of the pen would be found late."""
    known = _get_valid_setting_names(Settings)
    for name in ("server", "setup", "worker"):
        assert {key for key in environment(name) if key.startswith("PREFECT_")} <= known


def test_our_code_knows_each_of_our_variables():
    code = "".join(path.read_text() for folder in PACKAGES for path in (REPOSITORY / folder).rglob("*.py"))
    for key in environment("worker"):
        assert not key.startswith("GROUPSTREAM_") or f'"{key}"' in code, key
