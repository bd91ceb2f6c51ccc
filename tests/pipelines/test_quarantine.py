"""Examples that break a check: counted, left out, and kept with their reason and their place."""

from __future__ import annotations

import csv
import dataclasses
import io
import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from PIL import Image

import groupstream
from groupstream import CorruptError, Feature
from groupstream.examples.decoding import decode_examples
from groupstream.testing import GcsServer
from pipelines import quarantine
from pipelines.batches import Batch
from pipelines.partition import Partitioned, partition
from pipelines.plan import Plan, make_plan
from pipelines.quarantine import SCHEMA, join_quarantine, rejected_table
from pipelines.results import read_outcome
from pipelines.staging import staging_area
from pipelines.tally import Tally
from pipelines.transforms import PartitionExamples
from sources import Piece
from specs import Spec

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"
CHECKS = {
    "examples": {
        "row": {"max_value": 296},
        "text": {"text": {"max_words": 30}},
        "key": {"forbidden_pattern": "^k13$", "min_length": 2},
    },
    "max_rejected": 300,
}


def plan_for(source: dict[str, Any], feature: str, checks: dict[str, Any], **changes: Any) -> Plan:
    fields = {
        "name": "test",
        "source": source,
        "partitioner": {"kind": "feature", "feature": feature},
        "checks": checks,
        "publish": {"shard_bytes": 8_000},
    }
    return make_plan(Spec.model_validate({**fields, **changes}, extra="forbid"))


def jsonl_plan(folder: Path, checks: dict[str, Any] = CHECKS, **changes: Any) -> Plan:
    return plan_for({"kind": "jsonl", "paths": [f"{folder}/*.jsonl"]}, "key", checks, **changes)


def build(plan: Plan, root: Path | str) -> tuple[Partitioned, bytes]:
    """What was made, and the bytes of the quarantine."""
    with staging_area(root) as staging:
        made = partition(plan, staging)
        assert staging.scratch / "quarantine.parquet" == made.quarantine
        return made, made.quarantine.read_bytes()


def rows_of(content: bytes) -> list[dict[str, Any]]:
    table = pq.read_table(pa.BufferReader(content))
    assert table.schema.equals(SCHEMA)
    return table.to_pylist()


def decoded(rows: list[dict[str, Any]], features: dict[str, Feature]) -> list[dict[str, Any]]:
    records = pa.array([row["example"] for row in rows], pa.large_binary())
    return decode_examples(records, features).to_pylist()


def dropped(made: Partitioned) -> dict[str, int]:
    return {reason.removeprefix("check "): count for reason, count in made.counts.dropped.items()}


@pytest.fixture
def source(jsonl_source: Path) -> Path:
    """The same, and one line without a text."""
    with open(jsonl_source / "part-1.jsonl", "ab") as file:
        file.write(b'{"key": "k1", "file": 1, "row": 7}\n')
    return jsonl_source


def broken_rule(example: dict[str, Any]) -> str | None:
    """The first check that an example breaks, said in Python."""
    if example["row"] > 296:
        return "row: max_value 296"
    if "text" not in example:
        return "text: null"
    if len(example["text"].split()) > 30:
        return "text: max_words 30"
    return "key: forbidden_pattern ^k13$" if example["key"] == "k13" else None


def test_the_quarantine_holds_what_was_rejected_in_the_order_of_the_source(tmp_path: Path, source: Path) -> None:
    made, content = build(jsonl_plan(source), tmp_path)
    lines = [
        (number, row, orjson.loads(line))
        for number, file in enumerate(sorted(source.iterdir()))
        for row, line in enumerate(file.read_bytes().splitlines())
    ]
    expected = [(number, row, broken_rule(line), line) for number, row, line in lines if broken_rule(line)]
    rows = rows_of(content)
    assert [(row["piece_index"], row["row"], row["reason"]) for row in rows] == [e[:3] for e in expected]
    assert [row["place"] for row in rows] == [f"part-{n}.jsonl row {row + 1:,}" for n, row, *_ in expected]
    features = {**made.features, "text": Feature(dtype="string", optional=True)}
    assert decoded(rows, features) == [{"text": None, **line} for *_, line in expected]
    assert Counter(row["reason"] for row in rows) == dropped(made)
    assert len(dropped(made)) == 4


def test_a_feature_whose_nulls_are_all_rejected_is_not_optional(tmp_path: Path, source: Path) -> None:
    made, _ = build(jsonl_plan(source), tmp_path)
    assert made.tally.nulls["text"] == 1
    assert not made.features["text"].optional


def test_small_parts_are_joined_into_row_groups(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, content = build(jsonl_plan(source), tmp_path)
    monkeypatch.setattr(quarantine, "_ROW_GROUP_ROWS", 1)
    _, cut = build(jsonl_plan(source), tmp_path)
    groups = [pq.ParquetFile(pa.BufferReader(c)).metadata.num_row_groups for c in (content, cut)]
    assert groups == [1, 3]
    assert rows_of(content) == rows_of(cut)


def test_bundles_that_are_done_again_make_the_same_quarantine(tmp_path, source, monkeypatch, caplog) -> None:
    caplog.set_level(logging.CRITICAL, "apache_beam")  # it logs each bundle that fails
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    from retried import PASSED, RetriedSource, RetriedStaging

    _, expected = build(jsonl_plan(source), tmp_path)
    PASSED.clear()
    plan = jsonl_plan(source)
    retried = RetriedSource(inner=plan.spec.source)
    plan = dataclasses.replace(plan, spec=plan.spec.model_copy(update={"source": retried}))
    with staging_area(tmp_path) as area:
        staging = RetriedStaging(area.store, area.scratch)
        with beam.Pipeline(runner=BundleBasedDirectRunner(), options=PipelineOptions([])) as pipeline:
            _ = pipeline | beam.Create(plan.pieces) | PartitionExamples(plan, staging)
        assert PASSED["quarantine"] > 4
        assert join_quarantine(area, read_outcome(area)[0]).read_bytes() == expected


@pytest.mark.integration
def test_two_workers_make_the_same_quarantine(tmp_path: Path, source: Path) -> None:
    _, one = build(jsonl_plan(source), tmp_path)
    _, two = build(jsonl_plan(source, runner={"num_workers": 2}), tmp_path)
    assert one == two


def test_what_is_counted_first_is_rejected_once(tmp_path: Path, source: Path) -> None:
    partitioner = {"kind": "fixed_sizes", "num_groups": 10}
    made, content = build(jsonl_plan(source, partitioner=partitioner), tmp_path)
    assert Counter(row["reason"] for row in rows_of(content)) == dropped(made)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsServer]:
    with GcsServer("bucket", page_size=2) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        yield server


def test_a_staging_area_in_a_bucket_has_the_same_quarantine(bucket: GcsServer, tmp_path: Path, source: Path) -> None:
    _, in_folder = build(jsonl_plan(source), tmp_path)
    with staging_area("gs://bucket/datasets") as staging:
        in_bucket = partition(jsonl_plan(source), staging).quarantine.read_bytes()
        assert not list(staging.store.objects("quarantine"))  # once it is joined
    assert in_bucket == in_folder


def test_records_of_a_version_are_kept_byte_for_byte(tmp_path: Path) -> None:
    source = {"kind": "groupstream", "ref": str(GOLDEN / "text" / "1.0.0")}
    checks = {"examples": {"year": {"max_value": 2010}, "note": {"nullable": True}}, "max_rejected_share": 1}
    made, content = build(plan_for(source, "author", checks), tmp_path)
    rows = rows_of(content)
    examples = [e for group in groupstream.open(GOLDEN / "text" / "1.0.0")["train"] for e in group.examples()]
    late = [example for example in examples if example["year"] > 2010]
    features = made.features
    found = decoded(rows, features)
    assert sorted(map(repr, found)) == sorted(repr({name: e[name] for name in features}) for e in late)
    assert 0 < len(rows) == len(late) < made.counts.examples_in


def test_images_that_do_not_decode_are_rejected(tmp_path: Path) -> None:
    for number in range(6):
        written = io.BytesIO()
        Image.fromarray(np.full((4, 4 + number, 3), number, np.uint8)).save(written, "PNG")
        file = tmp_path / "source" / f"class-{number % 2}" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(written.getvalue()[: 45 if number == 3 else None])
    checks = {"examples": {"image": {"image": {"max_width": 8}}}, "max_rejected": 2}
    source = {"kind": "images", "paths": [f"{tmp_path}/source/**/*.png"]}
    made, content = build(plan_for(source, "label", checks), tmp_path)
    rows = rows_of(content)
    assert [row["reason"] for row in rows] == ["image: cannot be decoded", "image: max_width 8"]
    images = [example["image"] for example in decoded(rows, made.features)]
    assert images == [(tmp_path / "source" / "class-1" / f"{n}.png").read_bytes() for n in (3, 5)]


def test_a_build_where_every_example_breaks_a_check_ends_well(tmp_path: Path, source: Path) -> None:
    made, content = build(jsonl_plan(source, {"examples": {"row": {"min_value": 1000}}}), tmp_path)
    assert made.counts.examples_out == 0
    assert len(rows_of(content)) == made.counts.examples_in == 901


def test_nothing_is_kept_where_nothing_is_rejected(tmp_path: Path, source: Path) -> None:
    with staging_area(tmp_path) as staging:
        made = partition(jsonl_plan(source, {"examples": {"row": {"min_value": 0}}}), staging)
        assert made.quarantine is None
        assert not staging.local_path("quarantine").exists()


def test_a_quarantine_that_lacks_an_example_is_refused(tmp_path: Path) -> None:
    tally = Tally(10).with_dropped("check x: null", [(0, 0, "a row 1")], 2)
    with staging_area(tmp_path) as staging:
        with staging.writing("quarantine/000000000-000000000000000.parquet") as file:
            row = {"reason": "x: null", "place": "a row 1", "piece_index": 0, "row": 0, "example": b""}
            pq.write_table(pa.Table.from_pylist([row], SCHEMA), file)
        with pytest.raises(CorruptError, match="2 examples broke a check, and 1 are in quarantine"):
            join_quarantine(staging, tally)


def test_values_that_no_record_can_hold_are_left_out() -> None:
    vectors = Feature(dtype="int64", shape=(None, 2))
    features = {"n": Feature(dtype="int64"), "tags": Feature(dtype="string", shape=(None,)), "v": vectors}
    columns = pa.record_batch(
        [
            pa.array([1, None, 3, 4]),
            pa.array([["a"], ["b", None], None, []], features["tags"].arrow_type),
            pa.array([[[1, 2]], [[1, 2]], [[1, 2], [3, None]], [None]], vectors.arrow_type),
        ],
        ["n", "tags", "v"],
    )
    batch = Batch(Piece(2, "a\udcff.csv"), 0, np.array([5, 6, 8, 9]), columns, None, None, Tally(10))
    broken = {"b": np.array([False, True, False, True]), "a": np.array([False, False, True, False])}
    rows = rejected_table(features, batch, broken).to_pylist()
    assert [(row["reason"], row["row"], row["place"]) for row in rows] == [
        ("b", 6, r"a\udcff.csv row 7"),
        ("a", 8, r"a\udcff.csv row 9"),
        ("b", 9, r"a\udcff.csv row 10"),
    ]
    optional = {name: feature.model_copy(update={"optional": True}) for name, feature in features.items()}
    assert decoded(rows, optional) == [
        {"n": None, "tags": None, "v": [[1, 2]]},
        {"n": 3, "tags": None, "v": None},
        {"n": 4, "tags": [], "v": None},
    ]


@pytest.mark.integration
@pytest.mark.shared_data
def test_strict_checks_of_real_posts_reject_what_plain_python_rejects(tmp_path: Path, shared_data) -> None:
    file = shared_data("hn_posts") / "hacker_news.csv"
    names = {"title": "string", "url": "string", "author": "string", "num_points": "int64"}
    title = {"text": {"min_words": 3, "max_word_length": 30, "max_share_of_digits": 0.2, "max_repeated_character": 3}}
    checks = {"examples": {"url": {"pattern": "^https?://"}, "title": title, "num_points": {"max_value": 1000}}}
    source = {"kind": "csv", "paths": [str(file)], "features": names}
    _, content = build(plan_for(source, "author", {**checks, "max_rejected_share": 0.2}), tmp_path)
    with open(file, encoding="utf-8-sig", newline="") as text:
        reasons = [broken_post(post) for post in csv.DictReader(text)]
    expected = [(row, reason) for row, reason in enumerate(reasons) if reason]
    assert [(row["row"], row["reason"]) for row in rows_of(content)] == expected
    assert len({reason for _, reason in expected}) == 6


def broken_post(post: dict[str, str]) -> str | None:
    """The first of the checks above that a post breaks."""
    title = post["title"]
    visible = [c for c in title if not c.isspace()]
    broken = {
        "url: pattern ^https?://": not post["url"].startswith(("http://", "https://")),
        "title: min_words 3": len(title.split()) < 3,
        "title: max_word_length 30": max(map(len, title.split())) > 30,
        "title: max_share_of_digits 0.2": sum(map(str.isdecimal, visible)) / len(visible) > 0.2,
        "title: max_repeated_character 3": re.search(r"(\S)\1{3}", title) is not None,
        "num_points: max_value 1000": int(post["num_points"]) > 1000,
    }
    return next((reason for reason, is_broken in broken.items() if is_broken), None)
