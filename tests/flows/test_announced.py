"""What a build leaves in the catalog of its store and in the registry, against a real Prefect server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import groupstream
from groupstream.catalog import read_catalog
from groupstream.stores import LocalStore
from registry import Registry, default_registry_url
from specs import Spec

pytestmark = pytest.mark.integration


def build(fields: dict, publish: dict | None = None, **changes):
    from flows.build_dataset import build_dataset

    return build_dataset(
        Spec.model_validate({**fields, **changes, "publish": {**fields["publish"], **(publish or {})}})
    )


@pytest.fixture
def registry(root: Path) -> Iterator[Registry]:
    with closing(Registry(default_registry_url(str(root)))) as opened:
        yield opened


def test_aliases_of_the_spec_lead_to_what_was_built(with_server, spec_fields, root, registry):
    build(spec_fields, {"aliases": ["candidate", "stable"]})
    build(spec_fields, {"aliases": ["candidate"]}, seed=1)
    catalog = read_catalog(LocalStore(root), "small")
    assert catalog is not None
    second = catalog.versions[-1].version
    assert catalog.aliases == {"candidate": second, "latest": second, "stable": "1.0.0"}
    assert registry.aliases(str(root), "small") == catalog.aliases
    moves = [(move.alias, move.version) for move in registry.alias_history(str(root), "small")]
    assert sorted(moves[:3]) == [("candidate", "1.0.0"), ("latest", "1.0.0"), ("stable", "1.0.0")]
    assert sorted(moves[3:]) == [("candidate", second), ("latest", second)]
    assert groupstream.open("small@stable", str(root)).manifest.version == "1.0.0"


def test_a_build_that_finds_its_version_moves_no_alias(with_server, spec_fields, root):
    build(spec_fields, {"aliases": ["candidate"]})
    before = read_catalog(LocalStore(root), "small")
    assert not build(spec_fields, {"aliases": ["candidate", "stable"]}).built
    assert read_catalog(LocalStore(root), "small") == before


def test_a_run_is_recorded_with_what_it_was_asked_and_where_it_is_shown(with_server, spec_fields, root, registry):
    build(spec_fields)
    (run,), (version,) = registry.runs("small"), registry.versions("small")
    assert run.kind == "build" and run.state == "published" and run.version == "1.0.0"
    assert run.prefect_url is not None and run.prefect_url.endswith(f"/runs/flow-run/{run.id}")
    assert run.spec is not None and run.spec["partitioner"]["feature"] == "key"
    assert run.source is not None and run.code is not None and set(run.code) == {"groupstream", "groupstream-platform"}
    assert version.run_id == run.id
    catalog = read_catalog(LocalStore(root), "small")
    assert catalog is not None and catalog.versions[0].run == run.id
    assert version.published_at == catalog.versions[0].published_at


def test_a_version_that_could_not_be_written_failed_and_is_built_by_the_next(with_server, spec_fields, root, registry):
    wrong = root / "small/1.0.0/train.groups.parquet"
    wrong.parent.mkdir(parents=True)
    wrong.write_bytes(b"of somebody else")
    with pytest.raises(groupstream.ConflictError, match="exists with other bytes"):
        build(spec_fields)
    assert [version.state for version in registry.versions("small")] == ["failed"]
    assert read_catalog(LocalStore(root), "small") is None
    wrong.unlink()
    assert build(spec_fields).manifest.version == "1.0.0"
    assert [version.state for version in registry.versions("small")] == ["published"]


def test_what_is_partitioned_anew_knows_where_it_comes_from(with_server, spec_fields, root, registry):
    build(spec_fields)
    source = {"kind": "groupstream", "ref": "small@latest", "root": str(root)}
    build(spec_fields, name="again", source=source, partitioner={"kind": "iid", "num_groups": 3})
    lineage = registry.lineage(str(root), "again", "1.0.0")
    assert [(parent.name, parent.version) for parent in lineage.parents] == [("small", "1.0.0")]
    below = registry.lineage(str(root), "small", "1.0.0")
    assert [(child.name, child.version) for child in below.children] == [("again", "1.0.0")]
    assert [run.kind for run in below.runs] == ["build"]
    assert set(registry.last_used(str(root), "small")) == {"1.0.0"}
