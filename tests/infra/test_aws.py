"""The module for AWS: validated and planned with its real provider, and applied to a server that speaks like AWS."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from fnmatch import fnmatchcase

import pytest

pytestmark = pytest.mark.integration  # the provider has 700 MB

TEAM, BUILDER = "arn:aws:iam::123456789012:role/team", "arn:aws:iam::123456789012:role/builder"
VARIABLES = {"region": "us-east-1", "bucket": "made-datasets", "readers": [TEAM], "writers": [BUILDER]}
LIFECYCLE = "aws_s3_bucket_lifecycle_configuration"
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.fixture(scope="module")
def moto_url(aws_module) -> Iterator[str]:
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        url = "http://{}:{}".format(*server.get_host_and_port())
        for name in [name for name in os.environ if name.startswith("AWS_")]:  # the person's own account
            patch.delenv(name)
        for name, value in {**KEYS, "AWS_ENDPOINT_URL": url}.items():
            patch.setenv(name, value)
        yield url
    server.stop()


@pytest.fixture(scope="module")
def resources(terraform, aws_module, moto_url, tmp_path_factory) -> list[dict]:
    """What is planned."""
    plan = str(tmp_path_factory.mktemp("plan") / "plan")
    made = terraform(aws_module, "plan", f"-out={plan}", **VARIABLES)
    assert made.returncode == 0, made.stderr
    shown = json.loads(terraform(aws_module, "show", "-json", plan).stdout)
    [module] = shown["planned_values"]["root_module"]["child_modules"]
    return module["resources"]


@pytest.fixture(scope="module")
def planned(resources) -> dict[str, dict]:
    """The policies by name, and the bucket's."""
    found = {}
    for each in resources:
        if each["type"] == "aws_iam_policy":
            found[each["index"]] = json.loads(each["values"]["policy"])
        if each["type"] == "aws_s3_bucket_policy":
            found["bucket"] = json.loads(each["values"]["policy"])
    return found


def test_it_is_valid(terraform, aws_module):
    checked = terraform(aws_module, "validate")
    assert checked.returncode == 0, checked.stderr + checked.stdout


def listed(value) -> list[str]:
    return value if isinstance(value, list) else [value]


def applies(statement: dict, action: str, resource: str, request: dict[str, str]) -> bool:
    """AWS's rules of evaluation, as far as these policies use them."""
    if not any(fnmatchcase(action, each) for each in listed(statement["Action"])):
        return False
    key = "NotResource" if "NotResource" in statement else "Resource"
    if any(fnmatchcase(resource, each) for each in listed(statement[key])) == (key == "NotResource"):
        return False
    conditions = statement.get("Condition", {})
    is_null = all((name not in request) == (value == "true") for name, value in conditions.get("Null", {}).items())
    return is_null and all(request.get(name) == value for name, value in conditions.get("Bool", {}).items())


def allowed(policies: dict[str, dict], role: str, action: str, key: str, **request: str) -> bool:
    asked = {"aws:SecureTransport": "true", "s3:ObjectCreationOperation": "true"}
    asked |= {name.replace("__", ":").replace("_", "-"): value for name, value in request.items()}
    arn = f"arn:aws:s3:::made-datasets{key and f'/{key}'}"
    statements = [*policies[role]["Statement"], *policies["bucket"]["Statement"]]
    effects = {each["Effect"] for each in statements if applies(each, f"s3:{action}", arn, asked)}
    return effects == {"Allow"}


SHARD, CATALOG, PULL = (
    "datasets/news/1.0.0/train.tfrecord",
    "datasets/news/catalog.json",
    "datasets/.pulls/news/1.0.0/1",
)
CASES = [  # action, key; may a reader, a writer, a maintainer
    ("ListBucket", "", True, True, True),
    ("GetObject", SHARD, True, True, True),
    ("GetObject", PULL, False, True, True),
    ("GetObject", "datasets/.staging/build/run", False, True, True),
    ("GetObject", "elsewhere/file", False, False, False),
    ("DeleteObject", SHARD, False, False, True),
    ("DeleteObject", CATALOG, False, False, True),
    ("DeleteObject", "datasets/.staging/build/run", False, True, True),
    ("DeleteObject", PULL, False, False, True),
]


@pytest.mark.parametrize(("action", "key", "reader", "writer", "maintainer"), CASES)
def test_a_role_may_what_it_should(planned, action, key, reader, writer, maintainer):
    found = [allowed(planned, role, action, key) for role in ("reader", "writer", "maintainer")]
    assert found == [reader, writer, maintainer]


@pytest.mark.parametrize(
    ("role", "key", "creates", "overwrites"),
    [
        ("reader", SHARD, False, False),
        ("reader", CATALOG, False, False),
        ("reader", PULL, True, False),
        ("writer", SHARD, True, False),
        ("writer", "datasets/news/1.0.0/manifest.json", True, False),
        ("writer", CATALOG, True, True),
        ("writer", "datasets/catalog.html", True, True),
        ("maintainer", SHARD, True, False),
    ],
)
def test_nothing_but_a_catalog_is_replaced(planned, role, key, creates, overwrites):
    assert allowed(planned, role, "PutObject", key, s3__if_none_match="*") is creates
    assert allowed(planned, role, "PutObject", key) is overwrites


def test_the_parts_of_a_larger_upload_are_let_through(planned):
    part = {"s3__ObjectCreationOperation": "false"}
    assert allowed(planned, "writer", "PutObject", SHARD, **part)
    assert not allowed(planned, "reader", "PutObject", SHARD, **part)


def test_what_is_not_encrypted_is_refused(planned):
    assert not allowed(planned, "writer", "GetObject", SHARD, aws__SecureTransport="false")


def test_everybody_is_no_reader(terraform, aws_module, moto_url):
    refused = terraform(aws_module, "plan", **{**VARIABLES, "readers": ["*"]})
    assert refused.returncode == 1 and "ARN of a role" in refused.stderr


def test_what_goes_by_itself_is_what_nobody_needs(resources):
    [lifecycle] = [each["values"] for each in resources if each["type"] == LIFECYCLE]
    folders = [(rule["filter"][0]["prefix"] or "", rule["expiration"]) for rule in lifecycle["rule"]]
    assert [folder for folder, expires in folders if expires] == ["datasets/.staging/"]
    assert len(folders) == 3


@pytest.fixture
def without_lifecycle(terraform_copy) -> Iterator[None]:
    """The provider looks for a minute whether a lifecycle stays as it was made."""
    override = terraform_copy / "s3_store" / "quick_override.tf"
    override.write_text(f'resource "{LIFECYCLE}" "datasets" {{\n  count = 0\n}}\n')
    yield
    override.unlink()


@pytest.mark.usefixtures("without_lifecycle")
def test_what_is_planned_can_be_made(terraform, aws_module, moto_url):
    """All but the lifecycle. moto itself ignores conditions."""
    made = terraform(aws_module, "apply", "-auto-approve", **VARIABLES)
    assert made.returncode == 0, made.stderr
    outputs = json.loads(terraform(aws_module, "output", "-json").stdout)
    assert outputs["GROUPSTREAM_ROOT"]["value"] == "s3://made-datasets/datasets"
    assert set(outputs["roles"]["value"]) == {"reader", "writer"}

    client = pytest.importorskip("boto3").client("s3", region_name="us-east-1")
    closed = client.get_public_access_block(Bucket="made-datasets")["PublicAccessBlockConfiguration"]
    assert closed and all(closed.values())
    assert client.get_bucket_versioning(Bucket="made-datasets")["Status"] == "Enabled"
