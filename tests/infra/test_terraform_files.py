"""What holds for all modules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

INFRA = Path(__file__).parents[2] / "infra" / "terraform"
BLOCKS = re.compile(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)


def test_files_are_laid_out_as_terraform_does(terraform, infra):
    looked = terraform(".", "fmt", "-check", "-recursive", "-diff")
    assert looked.returncode == 0, looked.stdout


@pytest.mark.parametrize("path", sorted(INFRA.rglob("*.tf")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_variables_and_outputs_say_what_they_are(path):
    for kind, name, body in BLOCKS.findall(path.read_text()):
        assert re.search(r'^  description += ".{10,}"$', body, re.MULTILINE), f"{kind} {name}"
        assert kind == "output" or re.search(r"^  type ", body, re.MULTILINE), f"{kind} {name}"


@pytest.mark.parametrize("module", ["access_rules", "gcs_store", "cloud_sql_registry", "s3_store"])
def test_what_people_type_is_checked(module):
    """Names and lists of people are; flags, sizes and labels are checked by the cloud."""
    unchecked = {
        name
        for kind, name, body in BLOCKS.findall((INFRA / module / "variables.tf").read_text())
        if kind == "variable" and "validation {" not in body
    }
    known = {"labels", "tags", "network", "tier", "is_highly_available", "deletion_protection"}
    by_another_module = {"access_rules": set(), "gcs_store": {"bucket", "prefix"}, "s3_store": {"bucket", "prefix"}}
    assert unchecked <= known | by_another_module.get(module, {"project"})


@pytest.mark.parametrize(("module", "names"), [("google", {"ROOT", "REGISTRY_URL"}), ("aws", {"ROOT"})])
def test_outputs_are_named_as_the_variables_they_are_for(module, names):
    found = {name for _, name, _ in BLOCKS.findall((INFRA / module / "outputs.tf").read_text())}
    assert {f"GROUPSTREAM_{name}" for name in names} <= found
