"""The golden versions are built again from their specs: the same bytes."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import groupstream
from groupstream.layout import CARD, DATA_DOCS, README
from groupstream.manifest import Manifest
from groupstream.stores import LocalStore
from pipelines.checks import run_checks
from pipelines.draft import draft_version
from pipelines.partition import partition
from pipelines.plan import make_plan
from pipelines.staging import staging_area
from pipelines.versions import describe_version
from specs import load_spec

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("name", ["text", "tags", "digits"])
def test_a_golden_version_is_built_again(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOLDEN / "sources")
    folder = GOLDEN / "v1" / name / "1.0.0"
    golden = groupstream.open(folder).manifest
    plan = make_plan(load_spec(f"{name}.yaml"))
    with staging_area(tmp_path) as staging:
        partitioned = partition(plan, staging)
        split = partitioned.splits["train"]
        built = [staging.read(shard.path) for shard in split.shards]
        assert built == [(folder / shard.path).read_bytes() for shard in golden.splits["train"].shards]
        index, golden_index = (pq.ParquetFile(p) for p in (split.group_table, folder / "train.groups.parquet"))
        assert index.read().equals(golden_index.read())
        assert partitioned.counts == golden.counts
        assert dict(sorted(partitioned.features.items())) == golden.features
        if _has_versions(golden, golden_index):
            store = LocalStore(tmp_path)
            draft = draft_version(plan, partitioned, store)
            version = describe_version(draft, run_checks(plan, draft, None), "1.0.0", store)
            assert _without_card(version.manifest) == _without_card(golden)


def _has_versions(golden: Manifest, index: pq.ParquetFile) -> bool:
    """Whether our code and Arrow are of the versions that built it; others may write other defaults or Parquet."""
    ours = {name: metadata.version(name) for name in golden.code}
    return ours == golden.code and index.metadata.created_by.endswith(f"version {metadata.version('pyarrow')}")


def _without_card(manifest: Manifest) -> dict[str, Any]:
    """What is drawn for people may look better tomorrow; it holds no data."""
    files = tuple(file for file in manifest.files if file.path not in (CARD, DATA_DOCS, README))
    return manifest.model_copy(update={"files": files}).model_dump(mode="json")
