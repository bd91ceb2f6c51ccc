"""Builds whose staging area, or whose result, lies in a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import groupstream
from groupstream import SourceError
from groupstream.commit import claim_version, commit_version
from groupstream.stores import LocalStore, Store, open_store
from groupstream.testing import GcsServer
from pipelines.checks import Checked
from pipelines.draft import draft_version
from pipelines.partition import partition
from pipelines.plan import Plan, make_plan
from pipelines.staging import staging_area
from pipelines.versions import describe_version
from specs import Spec


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsServer]:
    with GcsServer("bucket", page_size=3) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        yield server


@pytest.fixture
def plan(jsonl_source: Path) -> Plan:
    fields = {
        "name": "test",
        "source": {"kind": "jsonl", "paths": [f"{jsonl_source}/*.jsonl"]},
        "partitioner": {"kind": "feature", "feature": "key"},
        "publish": {"shard_bytes": 8_000},
        "splits": {"by": "group", "fractions": {"train": 0.7, "test": 0.3}},
        "label_feature": "file",
    }
    return make_plan(Spec.model_validate(fields, extra="forbid"))


def publish(plan: Plan, staging_root: str, store: Store) -> bytes:
    """Builds and publishes; the manifest."""
    with staging_area(staging_root) as staging:
        partitioned = partition(plan, staging)
        draft = draft_version(plan, partitioned, store)
        version = describe_version(draft, Checked((), b""), "1.0.0", store)
        claim_version(store, "test/1.0.0", plan.digest, {})
        commit_version(store, "test/1.0.0", version.manifest, version.files)
    return version.manifest.to_json()


@pytest.mark.parametrize("staging", ["the bucket", "this machine"])
def test_a_version_in_a_bucket_is_the_same_as_in_a_folder(bucket, plan, tmp_path, staging):
    in_folder = publish(plan, str(tmp_path / "local"), LocalStore(tmp_path / "local"))
    store = open_store("gs://bucket/datasets")
    in_bucket = publish(plan, store.root if staging == "the bucket" else str(tmp_path / "scratch"), store)
    assert in_bucket == in_folder
    opened = groupstream.open("test@1.0.0", store.root)
    assert sum(group.num_examples for split in opened.values() for group in split) == 900
    assert not list(store.objects(".staging"))


def test_a_build_that_fails_leaves_nothing_in_the_bucket(bucket, plan, jsonl_source):
    (jsonl_source / "part-2.jsonl").write_text("oops")
    with pytest.raises(SourceError, match=r"part-2.jsonl"):
        publish(plan, "gs://bucket/datasets", open_store("gs://bucket/datasets"))
    assert not list(open_store("gs://bucket/datasets").objects(""))
