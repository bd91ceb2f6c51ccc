"""Which names the conditions of Google's roles let through. The rules are applied by Terraform, and tried here."""

from __future__ import annotations

import json
import re

import pytest

BUCKET = "projects/_/buckets/team-data"
OBJECTS = f"{BUCKET}/objects/"


@pytest.fixture(scope="module", params=["datasets", ""], ids=["prefix", "whole bucket"])
def rules(request, terraform) -> tuple[str, dict[str, str]]:
    """The prefix with its slash, and the conditions by name."""
    assert terraform("access_rules", "init").returncode == 0
    made = terraform("access_rules", "apply", "-auto-approve", bucket="team-data", prefix=request.param)
    assert made.returncode == 0, made.stderr
    outputs = json.loads(terraform("access_rules", "output", "-json").stdout)
    root = "gs://team-data/datasets" if request.param else "gs://team-data"
    assert outputs["gcs_root"]["value"] == root
    assert outputs["s3_root"]["value"] == root.replace("gs", "s3")
    return request.param and f"{request.param}/", outputs["gcs_conditions"]["value"]


def holds(condition: str, name: str) -> bool:
    """Google's expressions of this form are Python's in other words."""
    words = {"resource.name": "name", "startsWith": "startswith", "endsWith": "endswith", "&&": "and", "||": "or"}
    for theirs, ours in words.items():
        condition = condition.replace(theirs, ours)
    return bool(eval(re.sub(r"!(?!=)", " not ", condition).strip(), {"__builtins__": {}}, {"name": name}))


CASES = [  # the name below the prefix; may a reader read it, a reader create it, a writer overwrite or remove it
    ("catalog.json", True, False, True),
    ("catalog.html", True, False, True),
    ("news/catalog.json", True, False, True),
    ("news/1.0.0/manifest.json", True, False, False),
    ("news/1.0.0/train-00000-of-00001.tfrecord", True, False, False),
    ("news/1.0.0/tombstone.json", True, False, False),
    ("news/1.0.0/claim.json", True, False, False),
    ("news/1.0.0/my-catalog.json", True, False, False),
    (".reports/news/1/report.html", True, False, False),
    (".staging/build-1/run-1", False, False, True),
    (".pulls/news/1.0.0/1.json", False, True, False),
]


@pytest.mark.parametrize(("path", "is_read", "is_pull", "is_changed"), CASES)
def test_an_object_is_open_to_whom_it_should_be(rules, path, is_read, is_pull, is_changed):
    prefix, conditions = rules
    name = f"{OBJECTS}{prefix}{path}"
    assert holds(conditions["not_private"], name) is is_read
    assert holds(conditions["pulls"], name) is is_pull
    assert holds(conditions["changeable"], name) is is_changed
    assert holds(conditions["staging"], name) is path.startswith(".staging/")
    assert holds(conditions["all"], name)


def test_a_reader_lists_the_bucket_and_nobody_changes_it(rules):
    _, conditions = rules
    assert holds(conditions["not_private"], BUCKET) and holds(conditions["staging"], BUCKET)
    assert not holds(conditions["staging"], f"{BUCKET}-of-others")
    assert not any(holds(conditions[name], BUCKET) for name in ("pulls", "changeable", "all"))


def test_what_lies_beside_the_prefix_is_nobodys(rules):
    prefix, conditions = rules
    if prefix:
        beside = f"{OBJECTS}other/catalog.json"
        assert not any(holds(conditions[name], beside) for name in ("pulls", "changeable", "staging", "all"))


@pytest.mark.parametrize(
    ("bucket", "prefix"),
    [
        ("Team", ""),
        ("a", ""),
        ('x" || true || "', ""),
        ("team-data", "/a"),
        ("team-data", "a/"),
        ("team-data", 'a") || ("'),
    ],
)
def test_a_name_that_could_change_a_condition_is_refused(terraform, bucket, prefix):
    assert terraform("access_rules", "init").returncode == 0
    refused = terraform("access_rules", "plan", bucket=bucket, prefix=prefix)
    assert refused.returncode == 1 and "Invalid value for variable" in refused.stderr
