"""The modules for Google Cloud: validated by Terraform with their provider's schema, and applied to a mock of it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

INFRA = Path(__file__).parents[2] / "infra" / "terraform"
SCHEMAS = Path(__file__).parent / "schemas"
FILES = sorted(INFRA.rglob("*.tf"))
MODULES = sorted({path.parent.name for path in FILES} - {"aws", "s3_store"})
PROVIDERS = {"google": "google-6.50.0.json", "prefect": "prefect-2.json"}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_valid(terraform, module):
    started = terraform(module, "init", "-backend=false")
    assert started.returncode == 0, started.stderr
    checked = terraform(module, "validate")
    assert checked.returncode == 0, checked.stderr
    assert "Warning" not in checked.stdout, checked.stdout


@pytest.mark.parametrize(
    ("right", "wrong", "says"),
    [
        ("disk_autoresize ", "disk_autorsize ", 'An argument named "disk_autorsize" is not expected here'),
        ("backup_configuration {", "backups {", 'Blocks of type "backups" are not expected here'),
        ("    tier   ", "    # ", 'The argument "tier" is required'),
        ("= true\n    deletion_protection_enabled", '= ["yes"]\n    deletion_protection_enabled', "bool required"),
        (
            "registry.connection_name",
            "registry.connection",
            "has no argument, nested block, or exported attribute named",
        ),
    ],
)
def test_what_the_provider_does_not_take_is_found(terraform, terraform_copy, right, wrong, says):
    folder = terraform_copy / "wrong"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(INFRA / "cloud_sql_registry", folder, ignore=shutil.ignore_patterns(".terraform*"))
    for path in folder.glob("*.tf"):
        path.write_text(path.read_text().replace(right, wrong))
    terraform("wrong", "init", "-backend=false")
    refused = terraform("wrong", "validate")
    assert refused.returncode == 1 and says in " ".join(refused.stderr.split())


@pytest.mark.parametrize(("provider", "file"), PROVIDERS.items())
def test_the_schemas_are_of_what_is_used(provider, file):
    known = json.loads((SCHEMAS / file).read_text())
    for kind, key in (("resource", "resource_schemas"), ("data", "data_source_schemas")):
        declared = re.compile(rf'^{kind} "({provider}_\w+)"', re.MULTILINE)
        assert {name for path in FILES for name in declared.findall(path.read_text())} == set(known[key])


BUCKET = {"project": "my-project", "bucket": "my-datasets", "location": "EU", "prefix": "datasets"}


@pytest.fixture(scope="module")
def store(make):
    accounts = {f"google_service_account.role[{json.dumps(role)}]": role for role in ("reader", "writer", "maintainer")}
    overridden = [
        {"target": target, "values": {"email": f"{role}@my-project.iam.gserviceaccount.com"}}
        for target, role in accounts.items()
    ]
    made = make("gcs_store", {"google": {"override_resource": overridden}}, report_days=90, **BUCKET)
    assert made.problems == []
    return made


def test_roles_are_the_smallest_that_do(store):
    """Who has which role, under which condition."""
    given = {
        (each["member"].split(":")[1].split("@")[0], each["role"], *(c["title"] for c in each["condition"]))
        for each in store.kind("google_storage_bucket_iam_member")
    }
    assert given == {
        ("reader", "roles/storage.objectViewer", "not pulls, not unfinished builds"),
        ("reader", "roles/storage.objectCreator", "pulls only"),
        ("writer", "roles/storage.objectViewer"),
        ("writer", "roles/storage.objectCreator", "under the prefix"),
        ("writer", "roles/storage.objectUser", "catalogs and unfinished builds only"),
        ("maintainer", "roles/storage.objectViewer"),
        ("maintainer", "roles/storage.objectUser", "under the prefix"),
    }


def test_the_bucket_is_closed_and_forgives(store):
    [bucket] = store.kind("google_storage_bucket")
    assert bucket["public_access_prevention"] == "enforced" and bucket["uniform_bucket_level_access"]
    assert not bucket["force_destroy"] and bucket["versioning"] == [{"enabled": True}]
    assert bucket["soft_delete_policy"][0]["retention_duration_seconds"] == 14 * 86400


def test_what_goes_by_itself_is_what_nobody_needs(store):
    [bucket] = store.kind("google_storage_bucket")
    rules = [(rule["action"][0]["type"], rule["condition"][0]) for rule in bucket["lifecycle_rule"]]
    ages = {tuple(each["matches_prefix"]): each["age"] for kind, each in rules if each["with_state"] == "LIVE"}
    assert ages == {("datasets/.staging/",): 7, ("datasets/.reports/",): 90}
    assert [each["age"] for kind, each in rules if kind == "AbortIncompleteMultipartUpload"] == [7]
    assert [each["days_since_noncurrent_time"] for _, each in rules if each["with_state"] == "ARCHIVED"] == [14]


@pytest.mark.parametrize("variables", [{"undelete_days": 3}, {"staging_days": 1}, {"readers": ["allUsers"]}])
def test_a_wrong_setting_is_refused(make, variables):
    [problem] = make("gcs_store", {"google": {}}, **BUCKET, **variables).problems
    assert "Invalid value for variable" in problem


def test_the_registry_can_be_brought_back_and_has_no_password(make):
    account = "writer@my-project.iam.gserviceaccount.com"
    made = make(
        "cloud_sql_registry",
        {"google": {}},
        project="my-project",
        region="europe-west4",
        service_accounts={"writer": account},
        network="projects/my-project/global/networks/groupstream",
    )
    assert made.problems == []
    [instance] = made.kind("google_sql_database_instance")
    [settings] = instance["settings"]
    [backups], [address] = settings["backup_configuration"], settings["ip_configuration"]
    assert instance["deletion_protection"] and settings["deletion_protection_enabled"]
    assert backups["enabled"] and backups["point_in_time_recovery_enabled"]
    assert address["ipv4_enabled"] is False and address["ssl_mode"] == "ENCRYPTED_ONLY"
    assert address["authorized_networks"] == []
    [user] = made.kind("google_sql_user")
    assert user["type"] == "CLOUD_IAM_SERVICE_ACCOUNT" and user["name"] == "writer@my-project.iam"
    assert made.outputs["registry_urls"] == {
        "writer": "postgresql+psycopg://writer%40my-project.iam@127.0.0.1:5432/groupstream"
    }


def test_there_is_no_key_and_no_password():
    for path in FILES:
        code = re.sub(r"#.*|description.*|error_message.*", "", path.read_text())
        assert not re.search(r"service_account_key|access_key|random_password|password", code), path
