"""Where a version comes from, what came of it, and who used it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from groupstream.stores import LocalStore
from lifecycle.announcing import announce
from lifecycle.changing import find_published
from lifecycle.lineage import Reader, Relative, lineage_of
from registry import PullRecord

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "root")


@pytest.fixture
def family(store, registry, put_version):
    """base@1.0.0 -> news@1.0.0 -> news-by-year@1.0.0 -> old-news@1.0.0."""

    def child_of(parent, ref):
        source = {"kind": "groupstream", "ref": parent.ref, "digest": parent.digest} if parent else {}
        manifest, content = put_version(store, ref, source=source)
        run = f"run of {manifest.name}"
        registry.start_run(run, store.root, manifest.name, manifest.digest)
        announce(store, registry, manifest, content, run=run)
        registry.finish_run(run, "published", manifest.version)
        return manifest

    parent, manifests = None, {}
    for name in ("base", "news", "news-by-year", "old-news"):
        manifests[name] = parent = child_of(parent, f"{name}@1.0.0")
    return manifests


def relative(manifest, root, *beyond):
    return Relative(manifest.ref, manifest.digest, root, "published", beyond)


def test_parents_and_children_are_followed_to_their_ends(store, registry, family):
    found = lineage_of(find_published("news@1.0.0", store.root), registry)
    assert (found.ref, found.state, found.run) == ("news@1.0.0", "published", "run of news")
    assert found.built_by is not None and found.built_by.state == "published"
    assert found.parents == (relative(family["base"], store.root),)
    grandchild = relative(family["old-news"], store.root)
    assert found.children == (relative(family["news-by-year"], store.root, grandchild),)
    oldest = lineage_of(find_published("old-news@1.0.0", store.root), registry)
    assert [parent.beyond[0].beyond[0].ref for parent in oldest.parents] == ["base@1.0.0"]


def test_runs_that_used_it_and_who_pulled_it_are_told(store, registry, family):
    registry.start_run("t1", store.root, "news", "0" * 64, kind="training")
    registry.record_use("t1", store.root, "news", "1.0.0")
    pulls = [
        PullRecord(str(i), "news", "1.0.0", NOW.replace(hour=i), by, ("train",), 10)
        for i, by in enumerate(["ann", "bob", "ann"])
    ]
    registry.record_pulls(store.root, pulls)
    found = lineage_of(find_published("news@1.0.0", store.root), registry)
    assert [(run.id, run.kind) for run in found.used_by] == [("t1", "training")]
    assert found.pulled_by == (Reader("ann", 2, 20, NOW.replace(hour=2)), Reader("bob", 1, 10, NOW.replace(hour=1)))


def test_without_a_registry_the_manifest_tells_the_parent(store, family):
    found = lineage_of(find_published("news@1.0.0", store.root), None)
    assert found.parents == (Relative("base@1.0.0", family["base"].digest),)
    assert (found.children, found.used_by, found.pulled_by) == ((), (), ())


@pytest.mark.parametrize("source", [{"ref": "../x@1.0.0", "digest": "0"}, {"ref": 7, "digest": 7}, {"ref": "a@1.0.0"}])
def test_a_manifest_may_say_anything_of_its_source(store, put_version, source):
    put_version(store, "news@1.0.0", source=source)
    assert lineage_of(find_published("news@1.0.0", store.root), None).parents == ()


def test_a_version_that_nobody_was_told_of_has_the_parent_of_its_manifest(store, registry, put_version):
    put_version(store, "news@1.0.0", source={"kind": "groupstream", "ref": "base@1.0.0", "digest": "0" * 64})
    found = lineage_of(find_published("news@1.0.0", store.root), registry)
    assert [parent.ref for parent in found.parents] == ["base@1.0.0"]


def test_a_lineage_without_end_ends(store, registry, put_version):
    """As somebody may write it who can write manifests."""
    for name, other in (("a", "b"), ("b", "a")):
        source = {"kind": "groupstream", "ref": f"{other}@1.0.0", "digest": other * 64}
        announce(store, registry, *put_version(store, f"{name}@1.0.0", digest=name * 64, source=source))
    found = lineage_of(find_published("a@1.0.0", store.root), registry)
    assert found.parents[0].ref == found.children[0].ref == "b@1.0.0"
