"""The numbers that a dataset gets in its life, built by the pipeline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from groupstream.commit import commit_version
from groupstream.stores import LocalStore
from pipelines.claims import Number, claim_number
from pipelines.draft import draft_version
from pipelines.partition import partition
from pipelines.plan import make_plan
from pipelines.staging import staging_for
from specs import Spec

pytestmark = pytest.mark.integration
Build = Callable[..., Number]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Builds and publishes a dataset; the number that it got."""
    store = LocalStore(tmp_path / "datasets")

    def run(fields: dict[str, Any]) -> Number:
        plan = make_plan(Spec.model_validate(fields, extra="forbid"))
        with staging_for(store, None, is_distributed=False) as staging:
            draft = draft_version(plan, partition(plan, staging), store)
            number = claim_number(plan, store, {"run": "test"}, draft)
            manifest = draft.manifest.model_copy(update={"version": number.version})
            commit_version(store, f"{plan.spec.name}/{number}", manifest, draft.files)
        return number

    return run


def test_a_dataset_gets_numbers_that_say_what_changed(build: Build, jsonl_source: Path) -> None:
    spec: dict[str, Any] = {
        "name": "test",
        "source": {"kind": "jsonl", "paths": [f"{jsonl_source}/*.jsonl"], "features": ["key", "text", "row"]},
        "partitioner": {"kind": "feature", "feature": "key"},
        "publish": {"shard_bytes": 20_000},
    }

    def change(**fields: Any) -> str:
        spec.update(fields)
        return str(build(spec).version)

    assert change() == "1.0.0"
    assert change(description="Made up.", license="CC0-1.0") == "1.0.1"
    assert change(seed=3) == "1.0.2"
    assert change(publish={"shard_bytes": 5_000}) == "1.0.3"
    assert change(source={**spec["source"], "features": ["key", "text", "row", "file"]}) == "1.1.0"
    (jsonl_source / "part-9.jsonl").write_text('{"key": "new", "text": "", "row": 1, "file": 9}\n')
    assert change() == "1.2.0"
    (jsonl_source / "part-9.jsonl").write_text('{"key": "new", "text": "", "row": 2, "file": 9}\n')
    assert change() == "2.0.0", "as many bytes, and another value"
    assert change(checks={"groups": {"min_examples": 3, "too_small": "merge"}}) == "3.0.0"
    assert change(checks={"groups": {"max_examples": 40, "too_large": "split"}}) == "4.0.0"
    assert change(checks={}, splits={"by": "group", "fractions": {"train": 0.7, "test": 0.3}}) == "5.0.0"


def test_a_split_that_comes_is_an_addition_and_one_that_goes_is_not(build: Build, tmp_path: Path) -> None:
    source = tmp_path / "lines.jsonl"
    spec = {
        "name": "test",
        "source": {"kind": "jsonl", "paths": [str(source)]},
        "partitioner": {"kind": "feature", "feature": "key"},
    }
    source.write_text("".join(f'{{"key": "k{i}", "text": "{i}"}}\n' for i in range(6)))
    by_group = {"by": "group", "fractions": {"train": 1.0}}
    assert str(build(spec)) == "1.0.0"
    assert str(build({**spec, "splits": by_group})) == "1.0.1"
    found = build({**spec, "splits": {"by": "group", "fractions": {"train": 0.5, "test": 0.5}}})
    assert str(found) == "2.0.0" and "groups removed" in found.why and "1 split added: test" in found.why
    assert "1 split removed: test" in build({**spec, "description": "one split again"}).why
