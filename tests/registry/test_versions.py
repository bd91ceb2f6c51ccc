from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from groupstream.errors import UsageError
from groupstream.manifest import CheckResult, Manifest
from registry import Registry, RegistryError

MakeManifest = Callable[..., Manifest]
MONDAY = datetime(2024, 1, 1, 12, tzinfo=UTC)


def test_reserved_version_is_pending_with_the_figures_of_all_splits(registry: Registry, make_manifest: MakeManifest):
    manifest = make_manifest()
    registry.reserve_version(manifest, "/data/", "r1")
    (record,) = registry.versions()
    assert (record.ref, record.state, record.published_at) == ("fedwiki@1.0.0", "pending", None)
    assert (record.root, record.location, record.run_id) == ("/data", "/data/fedwiki/1.0.0", "r1")
    assert (record.has_manifest, record.message) == (True, "")
    assert record.changed_at - record.created_at < timedelta(seconds=1)
    assert (record.num_groups, record.num_examples, record.num_words, record.num_shards) == (8, 16, 14, 3)
    assert record.num_bytes == 6 << 40
    assert record.statistics["test"] == manifest.splits["test"].statistics.model_dump(mode="json")
    assert record.counts == {"examples_in": 20, "examples_out": 16, "dropped": {"empty": 4}, "regrouped": {}}
    assert (record.spec, record.source, record.code) == (manifest.spec, manifest.source, manifest.code)
    assert abs(datetime.now(UTC) - record.created_at) < timedelta(minutes=1)


def test_published_version_is_published_at_the_moment_given_in_utc(registry: Registry, make_manifest: MakeManifest):
    registry.reserve_version(make_manifest(), "/data")
    registry.record_published(make_manifest(), "/data", MONDAY.astimezone(timezone(timedelta(hours=5))))
    (record,) = registry.versions("fedwiki")
    assert (record.state, record.published_at) == ("published", MONDAY)
    assert record.published_at.utcoffset() == timedelta(0)


def test_published_version_needs_no_reservation(registry: Registry, make_manifest: MakeManifest):
    registry.record_published(make_manifest(), "/data", MONDAY)
    assert [record.state for record in registry.versions()] == ["published"]


def test_recording_again_changes_nothing(registry: Registry, make_manifest: MakeManifest):
    registry.reserve_version(make_manifest(), "/data")
    registry.record_published(make_manifest(), "/data", MONDAY)
    before = registry.versions()
    registry.reserve_version(make_manifest(), "/data")
    registry.record_published(make_manifest(), "/data", MONDAY + timedelta(days=1))
    assert registry.versions() == before


def test_pending_version_is_taken_over_by_another_build(registry: Registry, make_manifest: MakeManifest):
    registry.reserve_version(make_manifest(digest="a" * 64), "/data", "r1")
    registry.reserve_version(make_manifest(digest="b" * 64, spec={"new": True}), "/data", "r2")
    (record,) = registry.versions()
    assert (record.digest, record.run_id, record.spec) == ("b" * 64, "r2", {"new": True})


@pytest.mark.parametrize("method", ["reserve_version", "record_published"])
def test_published_version_refuses_another_build(registry: Registry, make_manifest: MakeManifest, method: str):
    registry.record_published(make_manifest(digest="a" * 64), "/data", MONDAY)
    before = registry.versions()
    with pytest.raises(RegistryError, match=r"fedwiki@1\.0\.0 is published .* a{12}, not b{12}; .*Set publish"):
        getattr(registry, method)(make_manifest(digest="b" * 64), "/data", *[MONDAY][: method == "record_published"])
    assert registry.versions() == before


def test_versions_are_sorted_by_number_newest_last(registry: Registry, make_manifest: MakeManifest):
    for name, version in [("b", "1.0.0"), ("a", "1.10.0"), ("a", "1.9.0")]:
        registry.reserve_version(make_manifest(version, name=name), "/data")
    assert [record.ref for record in registry.versions()] == ["a@1.9.0", "a@1.10.0", "b@1.0.0"]
    assert [record.ref for record in registry.versions("b")] == ["b@1.0.0"]
    assert registry.versions("c") == []


@pytest.mark.parametrize(("name", "version"), [("fedwiki", "1.0"), ("Fed Wiki", "1.0.0")])
def test_version_that_could_not_be_listed_is_refused(
    registry: Registry, make_manifest: MakeManifest, name: str, version: str
):
    manifest = make_manifest().model_copy(update={"name": name, "version": version})
    with pytest.raises(UsageError):
        registry.reserve_version(manifest, "/data")
    assert registry.versions() == []


def test_text_that_postgresql_would_refuse_is_written_out(registry: Registry, make_manifest: MakeManifest):
    check = CheckResult(name="c", limit="1", observed="2", passed=False, offenders=("a\x00b",))
    registry.reserve_version(make_manifest(checks=(check,)), "/data")
    (record,) = registry.versions()
    assert record.checks[0]["offenders"] == ["a\\x00b"]


def test_moment_without_a_time_zone_is_refused(registry: Registry, make_manifest: MakeManifest):
    with pytest.raises(RegistryError, match="2024-01-01T12:00:00 has no time zone"):
        registry.record_published(make_manifest(), "/data", MONDAY.replace(tzinfo=None))
    assert registry.versions() == []
