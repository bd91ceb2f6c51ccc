"""Terraform, in copies of infra/terraform: nothing is written into the repository, and nothing leaves this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).parents[2] / "infra" / "terraform"
SCHEMAS = Path(__file__).parent / "schemas"
MIRROR_VARIABLE = "GROUPSTREAM_TERRAFORM_PLUGINS"  # a folder with registry.terraform.io/hashicorp/...

Terraform = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def infra() -> Path:
    return SOURCE


@pytest.fixture(scope="session")
def served_schemas() -> Iterator[str]:
    """Where Terraform finds the schemas of providers that cannot be had offline; see schemas/serve.py."""
    files = ["hashicorp/google=google-6.50.0.json", "prefecthq/prefect=prefect-2.json"]
    command = [sys.executable, str(SCHEMAS / "serve.py"), *files]
    server = subprocess.Popen(command, cwd=SCHEMAS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdin is not None and server.stdout is not None
    yield server.stdout.readline().strip()
    server.stdin.close()
    server.wait(timeout=60)
    server.stdout.close()


@pytest.fixture(scope="session")
def terraform_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("infra") / "terraform"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    return copy


@pytest.fixture(scope="session")
def terraform(terraform_copy: Path, served_schemas: str) -> Terraform:
    """Runs `terraform ARGUMENTS` in a module; skips the test where there is none."""
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("no terraform on PATH")

    def run(module: str | Path, *arguments: str, **variables: Any) -> subprocess.CompletedProcess[str]:
        settings = {f"TF_VAR_{k}": v if isinstance(v, str) else json.dumps(v) for k, v in variables.items()}
        environment = _environment() | settings | {"TF_REATTACH_PROVIDERS": served_schemas}
        command = [program, f"-chdir={terraform_copy / module}", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)

    return run


def _environment() -> dict[str, str]:
    """Without a file of settings that may not be there."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    return kept | {"TF_IN_AUTOMATION": "1", "TF_CLI_ARGS": "-no-color", "CHECKPOINT_DISABLE": "1", "TF_INPUT": "0"}


@dataclass(frozen=True)
class Made:
    """What Terraform has after it applied a module to mocked providers; `problems` is empty where that went well."""

    resources: dict[str, dict[str, Any]]
    outputs: dict[str, Any]
    problems: list[str]

    def kind(self, kind: str) -> list[dict[str, Any]]:
        return [values for address, values in self.resources.items() if f".{kind}." in f".{address}"]


@pytest.fixture(scope="session")
def make(terraform: Terraform, terraform_copy: Path) -> Callable[..., Made]:
    """Applies a module to mocked providers: what the cloud would set is made up, unless `mocks` tells it."""
    started = set()

    def made(module: str, mocks: dict[str, Any], **variables: Any) -> Made:
        if module not in started:
            begun = terraform(module, "init", "-backend=false")
            assert begun.returncode == 0, begun.stderr
            started.add(module)
        test = {"run": {"made": {"command": "apply", "variables": variables}}} | (
            {"mock_provider": mocks} if mocks else {}
        )
        (terraform_copy / module / "made.tftest.json").write_text(json.dumps(test))
        return _read(terraform(module, "test", "-json", "-verbose").stdout)

    return made


def _read(output: str) -> Made:
    """The messages of `terraform test -json -verbose`."""
    messages = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    found = [each["diagnostic"] for each in messages if each["type"] == "diagnostic"]
    problems = [f"{each['summary']}: {each['detail']}" for each in found if each["severity"] == "error"]
    states = [each["test_state"] for each in messages if each["type"] == "test_state"]
    if problems or not states:
        return Made({}, {}, problems or [output])
    outputs = {name: each["value"] for name, each in states[-1].get("outputs", {}).items()}
    return Made(dict(_resources(states[-1]["root_module"])), outputs, [])


def _resources(module: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for each in module.get("resources", []):
        yield each["address"], each["values"]
    for child in module.get("child_modules", []):
        yield from _resources(child)


@pytest.fixture(scope="session")
def aws_module(terraform: Terraform) -> str:
    """The folder aws, with its provider; skips the test where that is neither mirrored nor to be downloaded."""
    named = os.environ.get(MIRROR_VARIABLE)
    mirrors = [Path(named)] if named else [each.parent for each in Path("/opt").glob("*/registry.terraform.io")]
    for place in [f"-plugin-dir={mirror}" for mirror in mirrors] or ["-input=false"]:
        started = terraform("aws", "init", "-backend=false", "-input=false", place)
        if started.returncode == 0:
            return "aws"
    pytest.skip(f"no provider for AWS; name the folder of a mirror in {MIRROR_VARIABLE}")
