"""The modules for Google Cloud, read as text: its provider cannot be had offline, so Terraform does not validate them.

google_provider_6.50.json has the attributes and blocks of the resources that we use, as that version of the provider
takes them. `terraform fmt` has laid the files out, so their lines tell what they hold.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

INFRA = Path(__file__).parents[2] / "infra" / "terraform"
KNOWN = json.loads((Path(__file__).parent / "google_provider_6.50.json").read_text())
FILES = sorted(INFRA.rglob("*.tf"))
META = {"for_each", "count", "depends_on", "provider", "lifecycle"}
_RESOURCE = re.compile(r'^resource "(google_\w+)" "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)


def resources(text: str) -> Iterator[tuple[str, list[str]]]:
    for kind, _, body in _RESOURCE.findall(text):
        yield kind, body.splitlines()


def problems(lines: list[str], known: dict, indent: int = 2) -> list[str]:
    """Attributes and blocks at this depth that the provider does not know, or misses."""
    found, missed, depth = [], {name for name, about in known.items() if about.get("required")}, " " * indent
    for number, line in enumerate(lines):
        match = re.match(rf"{depth}(\w+)\s*(=|\{{)", line)
        if not match or match[1] in META:
            continue
        name, is_block = match[1], match[2] == "{"
        missed.discard(name)
        if name not in known or is_block != ("block" in known[name]):
            found.append(f"{name} is no {'block' if is_block else 'attribute'} of it")
        elif is_block:
            end = next(i for i in range(number, len(lines)) if lines[i].startswith(f"{depth}}}"))
            found += problems(lines[number + 1 : end], known[name]["block"], indent + 2)
    return found + [f"{name} is missing" for name in sorted(missed)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_resources_have_what_the_provider_takes(path):
    for kind, lines in resources(path.read_text()):
        assert problems(lines, KNOWN[kind]) == [], kind


def test_what_the_provider_does_not_take_is_found():
    wrong = 'resource "google_sql_user" "a" {\n  name     = 1\n  passwrd  = 2\n  timeouts = {}\n}\n'
    [(kind, lines)] = resources(wrong)
    expected = ["passwrd is no attribute of it", "timeouts is no attribute of it", "instance is missing"]
    assert problems(lines, KNOWN[kind]) == expected


def test_every_kind_of_resource_is_looked_at():
    used = {kind for path in FILES for kind, _ in resources(path.read_text())}
    assert used == set(KNOWN)


def test_roles_are_the_smallest_that_do():
    """A role, and the condition it has, None for none."""
    text = (INFRA / "gcs_store" / "roles.tf").read_text()
    given = {}
    for name, body in re.findall(
        r'^resource "google_storage_bucket_iam_member" "(\w+)" \{\n(.*?)^\}', text, re.M | re.S
    ):
        [role] = re.findall(r'role += "roles/storage\.(\w+)"', body)
        given[name] = (role, next(iter(re.findall(r"gcs_conditions\.(\w+)", body)), None))
    assert given == {
        "reader": ("objectViewer", "not_private"),
        "reader_records_pulls": ("objectCreator", "pulls"),
        "writer_reads": ("objectViewer", None),
        "writer_creates": ("objectCreator", "all"),
        "writer_overwrites": ("objectUser", "changeable"),
        "maintainer_lists": ("objectViewer", None),
        "maintainer": ("objectUser", "all"),
    }


def test_the_bucket_is_closed_and_forgives():
    text = (INFRA / "gcs_store" / "main.tf").read_text()
    for line in (
        "uniform_bucket_level_access = true",
        'public_access_prevention    = "enforced"',
        "force_destroy               = false",
        '"AbortIncompleteMultipartUpload"',
        "matches_prefix = [module.rules.gcs_staging_prefix]",
    ):
        assert line in text, line


def test_there_is_no_key_and_no_password():
    for path in FILES:
        code = re.sub(r"#.*|description.*|error_message.*", "", path.read_text())
        assert not re.search(r"service_account_key|access_key|random_password|password", code), path
