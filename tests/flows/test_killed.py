"""A build killed at any moment: nothing half-written is visible, and the next gives what an undisturbed one gives."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import pytest

import groupstream
from groupstream.catalog import read_catalog
from groupstream.commit import UPLOADS
from groupstream.refs import published_versions
from groupstream.stores import LocalStore
from pipelines.staging_folders import sweep_folders
from registry import Registry, default_registry_url
from specs import Spec

pytestmark = pytest.mark.integration

BEFORE_THE_COMMIT = [
    ("Partition", "START"),
    ("Partition", "1"),
    ("Check", "START"),
    ("Number", "START"),
    ("Draw the card", "START"),
    ("Publish", "START"),
    ("Publish", "1"),
    ("Publish", "12"),  # all files, not the manifest
]


def finish(fields: dict) -> tuple[bool, dict[str, bytes]]:
    """Builds undisturbed; whether it built, and all files but the claim."""
    from flows.build_dataset import build_dataset

    result = build_dataset(Spec.model_validate(fields))
    folder = Path(result.location)
    files = (f for f in folder.rglob("*") if f.is_file() and f.name != "claim.json")
    return result.built, {f.relative_to(folder).as_posix(): f.read_bytes() for f in files}


def test_killed_at_every_stage_in_turn(tmp_path, with_server, killed_at, spec_fields, root, caplog):
    for stage, moment in BEFORE_THE_COMMIT:
        killed_at(spec_fields, stage, moment)
        assert published_versions(LocalStore(root), "small") == [], f"visible after {stage} {moment}"
        with pytest.raises(groupstream.RefNotFoundError):
            groupstream.open("small", str(root))
    with caplog.at_level("INFO", "groupstream"):
        built, files = finish(spec_fields)
    assert "Partition: taken up from an earlier build: " in caplog.text, "those that came later died with it finished"
    undisturbed = {**spec_fields, "publish": {**spec_fields["publish"], "root": str(tmp_path / "undisturbed")}}
    assert built and files == finish(undisturbed)[1]
    assert groupstream.open("small", str(root)).manifest.version == "1.0.0"
    left = [path.name for path in (root / ".staging").iterdir()]
    assert all(name.startswith("put-") for name in left), "others may be at it: see what a sweep does later"
    assert len(left) <= UPLOADS * sum(stage == "Publish" for stage, _ in BEFORE_THE_COMMIT), "what was under way"
    sweep_folders(root, now=time.time() + 120)
    assert not list((root / ".staging").iterdir())


def test_killed_after_the_commit_the_next_build_completes_the_record(with_server, killed_at, spec_fields, root):
    fields = {**spec_fields, "publish": {**spec_fields["publish"], "aliases": ["candidate"]}}
    killed_at(fields, "Register", "START")
    store = LocalStore(root)
    assert groupstream.open("small@1.0.0", str(root)), "the manifest is the commit"
    assert read_catalog(store, "small") is None, "nobody was told of it yet"
    with closing(Registry(default_registry_url(str(root)))) as registry:
        assert [v.state for v in registry.versions("small")] == ["pending"]
        assert list((root / ".staging").glob("build-*")), "what a later build could go on with"
        built, _ = finish(spec_fields)  # the aliases stand in the claim
        assert not list((root / ".staging").glob("build-*")), "nobody has to go on with a published version"
        assert not built and [v.state for v in registry.versions("small")] == ["published"]
        catalog = read_catalog(store, "small")
        assert catalog is not None and catalog.aliases == {"candidate": "1.0.0", "latest": "1.0.0"}
        assert registry.aliases(str(root), "small") == catalog.aliases
        (published,), runs = registry.versions("small"), registry.runs("small")
        assert [run.state for run in runs] == ["unchanged", "running"], "a killed run stays as it is: see the doctor"
        assert published.run_id == runs[-1].id, "the run that wrote it, not the one that found it"
