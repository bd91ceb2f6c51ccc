"""Builds whose groups are too small or too large, on Beam's runners and on real data."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner

from groupstream import SpecError
from groupstream.manifest import Counts
from groupstream.stores import LocalStore
from groupstream.verify import verify
from pipelines.draft import draft_version
from pipelines.partition import Partitioned, partition
from pipelines.plan import make_plan
from pipelines.results import read_merged_shards, read_outcome
from pipelines.runners.pieces import ListedPieces, list_pieces
from pipelines.staging import StagingArea, staging_area
from pipelines.transforms import PartitionExamples
from specs import Spec, load_spec
from validation import Checks
from validation.group_checks import GroupChecks

SPLITS = {
    "none": None,
    "group": {"by": "group", "fractions": {"train": 0.6, "test": 0.4}},
    "example": {"by": "example", "fractions": {"train": 0.6, "test": 0.4}},
    "both": {"by": "both", "groups": {"train": 0.6, "test": 0.4}, "examples": {"support": 0.5, "query": 0.5}},
}
TABLES = ("group_table", "label_table")
SPLIT = {"max_examples": 8, "too_large": "split"}


def jsonl_spec(folder: Path, action: dict[str, Any], splits: str = "group", **more: Any) -> Spec:
    fields = {
        "name": "test",
        "source": {"kind": "jsonl", "paths": [f"{folder}/*.jsonl"]},
        "partitioner": {"kind": "feature", "feature": "key"},
        "label_feature": "file",
        "splits": SPLITS[splits],
        "checks": {"groups": action},
        "publish": {"shard_bytes": 8_000},
    }
    return Spec.model_validate({**fields, **more}, extra="forbid")


def contents(staging: StagingArea) -> dict[str, str]:
    """Checksums of the shards that a pipeline left, and what was counted."""
    tally, num_shards = read_outcome(staging)
    shards = [shard for split, number in num_shards.items() for shard in read_merged_shards(staging, split, number)]
    found = {shard.path: shard.sha256 for shard in shards}
    return {**found, "counts": repr((sorted(tally.dropped.items()), sorted(tally.regrouped.items())))}


class Made(NamedTuple):
    """What a build made.

    Attributes:
        sizes: examples of each group, of all splits.
        files: see `contents`.
        tables: the checksum of the group table and the label table of each split.
    """

    counts: Counts
    sizes: Counter[bytes]
    files: dict[str, str]
    tables: dict[str, str]


def sizes_of(done: Partitioned) -> Counter[bytes]:
    """Examples of each group, of all splits."""
    sizes = Counter[bytes]()
    for split in done.splits.values():
        for row in pq.read_table(split.group_table, columns=["group_id", "num_examples"]).to_pylist():
            sizes[row["group_id"]] += row["num_examples"]
    return sizes


def run(spec: Spec, root: Path, **budget: int) -> Made:
    plan = make_plan(spec)
    plan = dataclasses.replace(plan, budget=dataclasses.replace(plan.budget, **budget))
    with staging_area(root) as staging:
        done = partition(plan, staging)
        tables = {f"{name}.{kind}": getattr(split, kind) for name, split in done.splits.items() for kind in TABLES}
        digests = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in tables.items() if path}
        return Made(done.counts, sizes_of(done), contents(staging), digests)


BOTH = {"min_examples": 12, "max_examples": 40, "too_small": "merge", "too_large": "split"}


@pytest.mark.integration
@pytest.mark.parametrize("splits", SPLITS)
def test_bytes_do_not_depend_on_the_number_of_workers(tmp_path, jsonl_source, splits):
    action = BOTH if splits in ("none", "group") else {**BOTH, "too_large": "cap"}
    one = run(jsonl_spec(jsonl_source, action, splits), tmp_path)
    runner = {"num_workers": 2, "memory_bytes": 1 << 30}
    two = run(jsonl_spec(jsonl_source, action, splits, runner=runner), tmp_path, payload_bytes=3, chunk_bytes=3_000)
    assert one == two
    assert len(one.counts.regrouped) == 2 and one.counts.examples_in == 900


def test_what_was_done_is_counted(tmp_path, jsonl_source):
    counts = run(jsonl_spec(jsonl_source, {**BOTH, "too_small": "drop", "too_large": "cap"}), tmp_path).counts
    sizes = np.array([*run(jsonl_spec(jsonl_source, {}), tmp_path).sizes.values()])
    small, large = sizes[sizes < 12], sizes[sizes > 40]
    assert counts.regrouped == {"capped at 40": len(large), "dropped, below min_examples 12": len(small)}
    assert counts.dropped == {
        "beyond max_examples 40 of a group": (large - 40).sum(),
        "group below min_examples 12": small.sum(),
    }


def test_bundles_that_are_done_again_make_the_same_bytes(jsonl_source, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.CRITICAL, "apache_beam")  # it logs each bundle that fails
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    from retried import PASSED, RetriedSource, RetriedStaging

    spec = jsonl_spec(jsonl_source, BOTH)
    expected = run(spec, tmp_path).files
    PASSED.clear()
    plan = make_plan(spec)
    source = RetriedSource(inner=plan.spec.source)
    plan = dataclasses.replace(plan, spec=plan.spec.model_copy(update={"source": source}))
    with staging_area(tmp_path) as area:
        lists = list_pieces(plan.pieces, area, "pieces/test")
        staging = RetriedStaging(area.store, area.scratch)
        with beam.Pipeline(runner=BundleBasedDirectRunner(), options=PipelineOptions([])) as pipeline:
            _ = pipeline | ListedPieces(lists, staging) | PartitionExamples(plan, staging)
        assert contents(area) == expected
    assert PASSED["regrouped"] > 2 and min(PASSED.values()) > 1


def test_a_plan_refuses_what_cannot_be_done(jsonl_source):
    with pytest.raises(SpecError, match=r"splits.by 'example'"):
        make_plan(jsonl_spec(jsonl_source, SPLIT, "example"))


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("hn_posts", {"min_examples": 3, "too_small": "merge"}),
        ("web_reddit", {"max_examples": 100, "too_large": "split"}),
        ("web_reddit", {"min_examples": 2, "max_examples": 100, "too_small": "drop", "too_large": "cap"}),
    ],
)
def test_real_groups(shared_data, name, action, tmp_path, monkeypatch):
    monkeypatch.chdir(shared_data(name))
    spec = load_spec(Path(__file__).parents[1] / f"shared_specs/{name}.yaml")
    plain = run(spec, tmp_path).sizes
    checks = spec.checks.model_copy(update={"groups": GroupChecks.model_validate(action)})
    plan = make_plan(spec.model_copy(update={"checks": checks}))
    with staging_area(tmp_path) as staging:
        done = partition(plan, staging)
        found = sizes_of(done)
        assert (
            verify(draft_version(plan, done, LocalStore(tmp_path)).dataset) == done.counts.examples_out == found.total()
        )
    expected = Counter[bytes]()
    for group_id, size in plain.items():
        for new_id, new_size in become(group_id, size, checks.groups):
            expected[new_id] += new_size
    assert found == +expected
    assert len(found) != len(plain)


def become(group_id: bytes, size: int, checks: GroupChecks) -> list[tuple[bytes, int]]:
    if size < checks.min_examples:
        return [(b"(small groups)", size)] if checks.too_small == "merge" else []
    if checks.max_examples is None or size <= checks.max_examples:
        return [(group_id, size)]
    if checks.too_large == "cap":
        return [(group_id, checks.max_examples)]
    parts = np.array_split(np.arange(size), -(-size // checks.max_examples))
    return [(b"%s#%0*d" % (group_id, len(str(len(parts))), n + 1), len(part)) for n, part in enumerate(parts)]


def test_every_spec_of_the_page_is_one():
    page = (Path(__file__).parents[2] / "docs/checks/group-sizes.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    asked = [Checks.model_validate(yaml.safe_load(block)["checks"], extra="forbid").groups for block in blocks]
    assert {checks.too_small for checks in asked} == {"fail", "drop", "merge"}
    assert {checks.too_large for checks in asked} == {"fail", "cap", "split"}
