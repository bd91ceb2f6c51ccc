from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import inf, isnan, nan

import pytest

from groupstream.errors import UsageError
from groupstream.manifest import Manifest
from registry import Metric, PullRecord, Registry, RegistryError, RelatedVersion

MakeManifest = Callable[..., Manifest]
MONDAY = datetime(2024, 1, 1, 12, tzinfo=UTC)
PARENT = {"kind": "groupstream", "ref": "fedwiki@1.0.0", "digest": "a" * 64}


def pull_of(id: str, version: str = "1.0.0", days: int = 0, **fields: object) -> PullRecord:
    defaults = {"by": "ann@desk", "splits": ("train",), "num_bytes": 10}
    return PullRecord(id=id, name="fedwiki", version=version, at=MONDAY + timedelta(days), **{**defaults, **fields})


def test_child_knows_its_parent_and_the_parent_its_children(registry: Registry, make_manifest: MakeManifest):
    registry.record_published(make_manifest(), "/data", MONDAY)
    registry.record_published(make_manifest(), "/copy", MONDAY)
    registry.record_published(make_manifest("2.0.0", "c" * 64, "regrouped", source=PARENT), "/data/", MONDAY)
    registry.reserve_version(make_manifest("1.0.0", "d" * 64, "elsewhere", source=PARENT), "/copy")
    other = {**PARENT, "digest": "e" * 64}  # another build under this name, in another root
    registry.record_published(make_manifest("1.0.0", "f" * 64, "other", source=other), "/data", MONDAY)

    lineage = registry.lineage("/data/", "fedwiki", "1.0.0")
    assert lineage.parents == []
    assert [(each.name, each.version, each.root, each.state) for each in lineage.children] == [
        ("elsewhere", "1.0.0", "/copy", "pending"),
        ("regrouped", "2.0.0", "/data", "published"),
    ]
    child = registry.versions("regrouped")[0]
    assert (child.parent_name, child.parent_version, child.parent_digest) == ("fedwiki", "1.0.0", "a" * 64)
    own = RelatedVersion(name="fedwiki", version="1.0.0", digest="a" * 64, root="/data", state="published")
    assert registry.lineage("/data", "regrouped", "2.0.0").parents == [own]
    assert [each.root for each in registry.lineage("/copy", "elsewhere", "1.0.0").parents] == ["/copy"]


def test_parent_without_a_row_is_as_its_child_says(registry: Registry, make_manifest: MakeManifest):
    registry.record_published(make_manifest("2.0.0", "c" * 64, "regrouped", source=PARENT), "/data", MONDAY)
    unknown = RelatedVersion(name="fedwiki", version="1.0.0", digest="a" * 64)
    assert registry.lineage("/data", "regrouped", "2.0.0").parents == [unknown]
    assert [each.name for each in registry.lineage("/data", "fedwiki", "1.0.0").children] == ["regrouped"]


def test_version_knows_the_runs_that_read_it_newest_first(registry: Registry):
    for index, kind in enumerate(["train", "build"]):
        registry.start_run(f"r{index}", "/data", "fedwiki", "d", kind=kind)
        for _ in range(2):
            registry.record_use(f"r{index}", "/data/", "fedwiki", "1.0.0")
    registry.record_use("r0", "/other", "fedwiki", "1.0.0")
    lineage = registry.lineage("/data", "fedwiki", "1.0.0")
    assert [(run.id, run.kind) for run in lineage.runs] == [("r1", "build"), ("r0", "train")]
    assert registry.lineage("/data", "fedwiki", "1.1.0").runs == []
    with pytest.raises(RegistryError, match=r"run 'r9' is not in registry .*start_run"):
        registry.record_use("r9", "/data", "fedwiki", "1.0.0")


def test_pull_is_recorded_once(registry: Registry):
    first = pull_of("p1", splits=("train", "test"), num_bytes=1 << 40)
    registry.record_pulls("/data/", [first, pull_of("p2", "1.1.0", days=1)])
    registry.record_pulls("/data", [pull_of("p1", by="another"), pull_of("p3", days=2), pull_of("p3", days=3)])
    registry.record_pulls("/other", [pull_of("p4")])
    registry.record_pulls("/data", [])
    assert [pull.id for pull in registry.pulls("/data", "fedwiki")] == ["p3", "p2", "p1"]
    assert registry.pulls("/data", "fedwiki", "1.0.0") == [pull_of("p3", days=2), first]
    assert registry.pulls("/data", "other") == []


def test_pull_that_says_too_much_is_cut(registry: Registry):
    registry.record_pulls(
        "/data", [pull_of("x" * 1_000, by="y" * 10_000, num_bytes=1 << 80), pull_of("p", num_bytes=-1)]
    )
    pulls = {pull.id: pull for pull in registry.pulls("/data", "fedwiki")}
    assert [(len(id), len(pull.by), pull.num_bytes) for id, pull in pulls.items()] == [
        (1, 8, 0),
        (64, 1_000, (1 << 63) - 1),
    ]


def test_version_was_last_used_by_the_newest_pull_or_run(registry: Registry):
    before = datetime.now(UTC)
    registry.record_pulls("/data", [pull_of("p1"), pull_of("p2", days=1), pull_of("p3", "1.1.0")])
    registry.record_pulls("/data", [pull_of("p4", "1.2.0", days=20_000)])
    registry.start_run("r1", "/data", "fedwiki", "d")
    for version in ("1.1.0", "1.2.0", "1.3.0"):
        registry.record_use("r1", "/data", "fedwiki", version)
    used = registry.last_used("/data/", "fedwiki")
    assert (used["1.0.0"], used["1.2.0"]) == (MONDAY + timedelta(1), MONDAY + timedelta(20_000))
    assert before < used["1.1.0"] == used["1.3.0"] == registry.runs()[0].started_at
    assert used.keys() == {"1.0.0", "1.1.0", "1.2.0", "1.3.0"}
    assert registry.last_used("/other", "fedwiki") == {}


def test_metrics_are_kept_by_name_and_step_and_may_be_any_number(registry: Registry):
    registry.start_run("r1", "/data", "fedwiki", "d")
    registry.record_metrics("r1", [Metric("loss", 0.5, 0), Metric("loss", 0.25, 1), Metric("loss", nan)])
    registry.record_metrics("r1", [Metric("loss", inf, 1), Metric("accuracy", 1e-300), Metric("loss", 0.1, 1 << 40)])
    registry.record_metrics("r1", [])
    *others, whole, first, second, last = registry.metrics("r1")
    assert others == [Metric("accuracy", 1e-300)]
    assert (whole.name, whole.step, isnan(whole.value)) == ("loss", None, True)
    assert [first, second, last] == [Metric("loss", 0.5, 0), Metric("loss", inf, 1), Metric("loss", 0.1, 1 << 40)]
    assert registry.metrics("r2") == []


def test_metric_needs_a_run_and_a_step_from_0(registry: Registry):
    with pytest.raises(RegistryError, match="run 'r1' is not in registry"):
        registry.record_metrics("r1", [Metric("loss", 0.5)])
    registry.start_run("r1", "/data", "fedwiki", "d")
    with pytest.raises(UsageError, match="metric 'loss' has the step -1; steps count from 0"):
        registry.record_metrics("r1", [Metric("loss", 0.5, -1)])
