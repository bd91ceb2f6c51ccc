"""What holds for all modules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

INFRA = Path(__file__).parents[2] / "infra" / "terraform"
MODULES = sorted({path.parent.name for path in INFRA.rglob("variables.tf")} - {"aws", "google"})  # roots pass on
BLOCKS = re.compile(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)


def test_files_are_laid_out_as_terraform_does(terraform, infra):
    looked = terraform(".", "fmt", "-check", "-recursive", "-diff")
    assert looked.returncode == 0, looked.stdout


@pytest.mark.parametrize("path", sorted(INFRA.rglob("*.tf")), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_variables_and_outputs_say_what_they_are(path):
    for kind, name, body in BLOCKS.findall(path.read_text()):
        assert re.search(r'^  description += ".{10,}"$', body, re.MULTILINE), f"{kind} {name}"
        assert kind == "output" or re.search(r"^  type ", body, re.MULTILINE), f"{kind} {name}"


@pytest.mark.parametrize("module", MODULES)
def test_what_people_type_is_checked(module):
    """Names and lists of people are; flags, sizes and labels are checked by the cloud."""
    unchecked = {
        name
        for kind, name, body in BLOCKS.findall((INFRA / module / "variables.tf").read_text())
        if kind == "variable" and "validation {" not in body
    }
    flags = {"is_highly_available", "deletion_protection", "reaches_internet", "has_immutable_tags"}
    known = flags | {"labels", "tags", "network", "subnetwork", "pod_ranges", "tier"}
    by_another_module = {name: {"bucket", "prefix"} for name in ("gcs_store", "s3_store")}
    by_another_module |= {"access_rules": set(), "dataflow": {"project", "bucket", "prefix"}}
    by_another_module |= {"prefect": {"account_id", "checkout", "image", "parameter_schemas_file"}}
    assert unchecked <= known | by_another_module.get(module, {"project"})


@pytest.mark.parametrize(("module", "names"), [("google", {"ROOT", "REGISTRY_URL"}), ("aws", {"ROOT"})])
def test_outputs_are_named_as_the_variables_they_are_for(module, names):
    found = {name for _, name, _ in BLOCKS.findall((INFRA / module / "outputs.tf").read_text())}
    assert {f"GROUPSTREAM_{name}" for name in names} <= found


PAGE = (Path(__file__).parents[2] / "docs" / "deploy" / "google-cloud.md").read_text()


def declared(module: str, kind: str) -> set[str]:
    text = (INFRA / module / f"{kind}s.tf").read_text()
    return {name for found, name, _ in BLOCKS.findall(text) if found == kind}


def test_the_page_sets_variables_that_there_are():
    [settings] = re.findall(r"^```hcl\n(project .*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"^(\w+) +=", settings, re.MULTILINE))
    assert len(named) > 10 and named <= declared("google", "variable")
    given = set(re.findall(r"-var (\w+)=", PAGE))
    assert given <= declared("prefect", "variable") | {"deletion_protection"}


def test_the_page_reads_outputs_that_there_are():
    read = set(re.findall(r"terraform (?:-chdir=\S+ )?output (?:-\w+ )?(\w+)", PAGE))
    assert len(read) > 4 and read <= declared("google", "output")
    folders = set(re.findall(r"-chdir=(\S+)", PAGE))
    assert {INFRA.parents[1] / folder for folder in folders} == {INFRA / "google", INFRA / "prefect"}
