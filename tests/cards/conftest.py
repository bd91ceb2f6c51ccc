"""Versions to make cards of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cards import CardContent, SplitSource
from groupstream.features import Feature
from groupstream.group_table import LABEL_SCHEMA, SCHEMA, statistics_of
from groupstream.manifest import CheckResult, Counts, Manifest, SplitInfo, StoredFile

MakeTable = Callable[..., pa.Table]
MakeManifest = Callable[..., Manifest]
MakeContent = Callable[..., CardContent]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "browser: opens pages in a real Chromium")


@pytest.fixture
def make_table() -> MakeTable:
    def make(sizes: Sequence[int], group_ids: Sequence[bytes] | None = None) -> pa.Table:
        examples = np.asarray(sizes, np.int64)
        ids = group_ids or [b"group-%d" % i for i in range(len(examples))]
        columns = {
            "group_id": ids,
            "group_hash": [i.to_bytes(16, "big") for i in range(len(examples))],
            "shard_index": np.zeros(len(examples), np.int32),
            "offset_bytes": np.cumsum(examples * 416) - examples * 416,
            "length_bytes": examples * 416,
            "num_examples": examples,
            "num_bytes": examples * 400,
            "num_words": examples * 61,
        }
        return pa.table([pa.array(columns[f.name], f.type) for f in SCHEMA], schema=SCHEMA)

    return make


@pytest.fixture
def make_manifest() -> MakeManifest:
    def make(tables: dict[str, pa.Table], **changes: object) -> Manifest:
        num_examples = sum(statistics_of(t).num_examples for t in tables.values())
        fields = {
            "name": "fedccnews-sample",
            "version": "1.2.0",
            "description": "News articles of the Common Crawl, grouped by the site that published them.",
            "digest": "4f1c" * 16,
            "spec": {
                "name": "fedccnews-sample",
                "license": "CC-BY-4.0",
                "homepage": "https://example.org/news",
                "citation": "@misc{news, title={News}}",
                "partitioner": {"feature": "url", "kind": "url_domain"},
                "source": {"kind": "jsonl", "paths": ["news/*.jsonl.gz"]},
                "splits": {"by": "group", "fractions": {"train": 0.9, "validation": 0.1}, "seed": 0},
            },
            "source": {"kind": "jsonl", "num_files": 24, "sha256": "9a3b" * 16},
            "code": {"groupstream": "0.1.0", "groupstream-platform": "0.1.0"},
            "seed": 7,
            "features": FEATURES,
            "group_feature": "group_id",
            "splits": {name: _split(name, table) for name, table in tables.items()},
            "counts": Counts(
                examples_in=num_examples + 130,
                examples_out=num_examples,
                dropped={"no group": 121, "check text: min_length 1": 9},
                regrouped={"merged": 17},
            ),
            "checks": CHECKS,
        }
        everything = fields | changes
        made = Manifest.model_validate(everything | {"name": "made", "splits": {}})
        return made.model_copy(update={key: everything[key] for key in ("name", "splits")})  # also what it would refuse

    return make


FEATURES = {
    "text": Feature(dtype="string"),
    "url": Feature(dtype="string"),
    "label": Feature(dtype="int64", labels=("politics", "sport", "culture")),
    "scores": Feature(dtype="float32", shape=(None,), optional=True),
    "picture": Feature(dtype="uint8", shape=(28, 28, 1)),
}
CHECKS = (
    CheckResult(name="groups.min_groups", limit="at least 100", observed="9,400", passed=True),
    CheckResult(
        name="groups.max_share_of_largest", limit="at most 0.5 %", observed="0.9 %", passed=False,
        offenders=("bbc.co.uk", "reuters.com"),
    ),
)  # fmt: skip

_BEFORE = {
    "num_groups": 8_400, "num_examples": 290_000, "num_bytes": 116_000_000, "num_words": 17_690_000,
    "group_sizes": {"p10": 2, "p50": 13, "p90": 101, "max": 4_000},
}  # fmt: skip
DIFFERENCES = {
    "before": "fedccnews-sample@1.1.0", "after": "fedccnews-sample@1.2.0", "differ": True,
    "features": {"added": {"scores": {"dtype": "float32"}}, "removed": {}, "changed": {}},
    "settings": {"added": {}, "removed": {}, "changed": {"source.num_files": [20, 24]}},
    "splits": {
        "train": {
            "before": _BEFORE, "after": _BEFORE | {"num_groups": 8_500, "num_examples": 300_000}, "same_bytes": False,
            "groups": {"added": 120, "removed": 20, "grown": 300, "shrunk": 0, "rewritten": 0, "kept": 8_080},
            "largest_changes": [{"group_id": b"www.site-9.example", "examples_before": 0, "examples_after": 900}],
            "labels": {"distance": 0.0213, "examples_before": 9, "examples_after": 9, "largest_changes": [
                {"label": b"1", "examples_before": 3, "examples_after": 4, "share_before": 0.3, "share_after": 0.4}]},
        },
        "validation": {"before": None, "after": _BEFORE, "same_bytes": False},
    },
}  # fmt: skip


def _split(name: str, table: pa.Table) -> SplitInfo:
    index = StoredFile(path="index", size_bytes=1, crc32c="0" * 8, sha256="0" * 64)
    stored = index.model_copy(update={"path": f"{name}.groups.parquet"})  # also a name that a manifest would refuse
    return SplitInfo(shards=(), group_table=stored, statistics=statistics_of(table))


@pytest.fixture
def make_content(make_manifest: MakeManifest) -> MakeContent:
    """Of group tables and label tables by split; more fields of the content, and of the manifest as `manifest`."""

    def make(
        tables: dict[str, pa.Table],
        labels: dict[str, pa.Table] | None = None,
        manifest: dict[str, object] | None = None,
        **more: object,
    ) -> CardContent:
        sources = {name: _source(table, (labels or {}).get(name)) for name, table in tables.items()}
        fields = {"num_groups": sum(map(len, tables.values()))} | more
        return CardContent(manifest=make_manifest(tables, **(manifest or {})), splits=sources, **fields)

    return make


def _source(table: pa.Table, labels: pa.Table | None) -> SplitSource:
    return SplitSource(
        column=lambda name: table[name].to_numpy(),
        ids_at=lambda rows: {row: table["group_id"][row].as_py() for row in rows},
        label_batches=None if labels is None else labels.to_batches,
    )


@pytest.fixture
def differences() -> dict[str, Any]:
    """As `version_differences` gives them."""
    return DIFFERENCES


@pytest.fixture
def large_version(make_table: MakeTable, make_content: MakeContent, differences: dict[str, Any]) -> CardContent:
    """A version of a realistic shape: two splits, labels, sizes over four decades, an image, a long text."""
    random = np.random.default_rng(3)
    sizes = np.ceil(random.lognormal(2.6, 1.6, 9400)).astype(np.int64)
    ids = [b"www.site-%d.example" % i for i in range(len(sizes))]
    tables = {"train": make_table(sizes[:8500], ids[:8500]), "validation": make_table(sizes[8500:], ids[8500:])}
    y, x = np.mgrid[:28, :28]
    picture = (255 * np.exp(-((x - 14) ** 2 + (y - 12) ** 2) / 60)).astype(np.uint8)[..., None]
    examples = [
        {"group_id": b"www.site-3.example", "text": "The council met on Tuesday to talk about the harbour. " * 20,
         "url": "https://www.site-3.example/news/2024/05/the-council-met", "label": 0, "scores": [0.25, 0.5],
         "picture": picture},
        {"group_id": "مثال.example".encode(), "text": "ذهب الفريق إلى المدينة.", "url": "https://مثال.example/1",
         "label": 1, "scores": None, "picture": 255 - picture},
    ]  # fmt: skip
    return make_content(
        tables,
        {"train": labels_of(tables["train"])},
        samples=examples,
        partitioner="One group for each registrable domain of `url`.",
        splitting="Each group is in one split, by a draw: 90 % train, 10 % validation.",
        rejected=frozenset({"check text: min_length 1"}),
        differences=differences,
    )


def labels_of(table: pa.Table) -> pa.Table:
    """Three labels in uneven shares for each group."""
    sizes = table["num_examples"].to_numpy()
    shares = np.random.default_rng(4).dirichlet([0.4] * 3, len(sizes))
    counts = np.maximum(1, (sizes[:, None] * shares).astype(np.int64))
    labels = pa.array([b"0", b"1", b"2"] * len(sizes), pa.binary())
    columns = [np.repeat(np.arange(len(sizes)), 3), labels, counts.ravel()]
    return pa.table(columns, schema=LABEL_SCHEMA)
