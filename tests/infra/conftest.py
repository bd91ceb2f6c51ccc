"""Terraform, in copies of infra/terraform: nothing is written into the repository, and nothing leaves this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).parents[2] / "infra" / "terraform"
MIRROR_VARIABLE = "GROUPSTREAM_TERRAFORM_PLUGINS"  # a folder with registry.terraform.io/hashicorp/...

Terraform = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def infra() -> Path:
    return SOURCE


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """Runs `terraform ARGUMENTS` in a module; skips the test where there is none."""
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("no terraform on PATH")
    copy = tmp_path_factory.mktemp("infra") / "terraform"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))

    def run(module: str, *arguments: str, **variables: Any) -> subprocess.CompletedProcess[str]:
        settings = {f"TF_VAR_{k}": v if isinstance(v, str) else json.dumps(v) for k, v in variables.items()}
        command = [program, f"-chdir={copy / module}", *arguments]
        return subprocess.run(command, env=_environment() | settings, capture_output=True, text=True, timeout=240)

    return run


def _environment() -> dict[str, str]:
    """Without a file of settings that may not be there."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TF_")}
    return kept | {"TF_IN_AUTOMATION": "1", "TF_CLI_ARGS": "-no-color", "CHECKPOINT_DISABLE": "1", "TF_INPUT": "0"}


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
