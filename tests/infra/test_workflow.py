"""GitHub's workflows: their schemas, and that nobody gets a right, a secret or a shell that it should not have."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
GITHUB = REPOSITORY / ".github"
CI: dict[str, Any] = yaml.safe_load((GITHUB / "workflows/ci.yml").read_text())
IMAGE: dict[str, Any] = yaml.safe_load((GITHUB / "workflows/image.yml").read_text())
LOGIN: dict[str, Any] = yaml.safe_load((GITHUB / "actions/registry-login/action.yml").read_text())
FILES = {
    "vendor.github-workflows": [GITHUB / "workflows/ci.yml", GITHUB / "workflows/image.yml"],
    "vendor.github-actions": [GITHUB / "actions/registry-login/action.yml"],
    "vendor.dependabot": [GITHUB / "dependabot.yml"],
}
TEXTS = {path: path.read_text() for paths in FILES.values() for path in paths}
IMAGES = {name: job["with"] for name, job in CI["jobs"].items() if name.endswith("-image")}
STEPS = [
    step for job in (*CI["jobs"].values(), *IMAGE["jobs"].values(), LOGIN["runs"]) for step in job.get("steps", [])
]


@pytest.mark.parametrize("schema", FILES)
def test_files_are_as_github_wants_them(schema):
    judge = [Path(sys.executable).with_name("check-jsonschema"), "--builtin-schema", schema, *FILES[schema]]
    judged = subprocess.run(judge, capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stdout


def test_no_schema_judges_a_file_that_is_not_there():
    assert set(TEXTS) == set(GITHUB.rglob("*.yml"))


def test_a_job_has_no_more_rights_than_it_needs():
    assert CI["permissions"] == IMAGE["permissions"] == {"contents": "read"}
    rights = {name: job["permissions"] for name, job in CI["jobs"].items() if "permissions" in job}
    signs_in = {"contents": "read", "id-token": "write"}  # to the registry, without a key
    assert rights == dict.fromkeys(["worker-image", "beam-image", "gpu-image", "deploy"], signs_in)


def test_the_code_of_a_pull_request_sees_no_secret_and_becomes_no_image():
    assert "pull_request_target" not in json.dumps(CI)
    assert "secrets" not in json.dumps(CI["jobs"]["test"])
    for name, job in CI["jobs"].items():
        needed = job.get("needs")
        assert name == "test" or needed == "worker-image" or "refs/heads/main" in job["if"], name


def test_no_expression_is_put_into_a_shell():
    for step in STEPS:
        assert "${{" not in step.get("run", ""), step["run"]


def test_actions_are_few_and_have_a_version():
    used = {step["uses"] for step in STEPS if "uses" in step}
    ours = {"./.github/actions/registry-login"}
    assert used - ours == {
        "actions/checkout@v4",
        "google-github-actions/auth@v2",
        "hashicorp/setup-terraform@v3",
    }
    kept = [step.get("with", {}).get("persist-credentials") for step in STEPS if "checkout" in step.get("uses", "")]
    assert kept == [False, False, False]  # what runs later cannot push


def test_it_runs_what_every_change_must_pass():
    test = CI["jobs"]["test"]
    assert test["steps"][-1] == {"run": "bash .ci/run"}
    assert test["container"].startswith(f"python:{sys.version_info.major}.{sys.version_info.minor}-")
    assert {CI["jobs"][name].get("needs") for name in ("worker-image", "beam-image")} == {"test"}


def test_it_has_the_programs_without_which_tests_are_skipped():
    installed = " ".join(step.get("run", "") for step in CI["jobs"]["test"]["steps"])
    tests = "".join(path.read_text() for path in (REPOSITORY / "tests").rglob("*.py") if path != Path(__file__))
    packages = set(re.findall(r"apt-get install ([\w-]+)", tests))
    assert packages >= {"chromium", "postgresql", "sqlite3"} and packages <= set(installed.split())


def test_each_image_is_built_from_its_dockerfile():
    assert {each["dockerfile"] for each in IMAGES.values()} == {
        path.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.glob("infra/*/Dockerfile")
    }
    for each in IMAGES.values():
        assert f"-t {each['name']} ." in (REPOSITORY / each["dockerfile"]).read_text()
    based = {name: each["from"] for name, each in IMAGES.items() if "from" in each}
    assert based == {"gpu-image": "groupstream-worker"}
    assert CI["jobs"]["gpu-image"]["needs"] == "worker-image"


def test_whatever_it_takes_from_github_is_on_the_page():
    page = (REPOSITORY / "docs/deploy/github.md").read_text()
    taken = {name for text in TEXTS.values() for name in re.findall(r"\b(?:vars|secrets)\.(\w+)", text)}
    assert taken == set(re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE))


def test_no_registry_is_written_down():
    for path, text in TEXTS.items():
        assert not re.search(r"docker\.io|ghcr\.io|pkg\.dev|gcr\.io|amazonaws", text), path
