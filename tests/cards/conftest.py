"""Versions to make cards of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pytest

from groupstream.features import Feature
from groupstream.group_table import SCHEMA, statistics_of
from groupstream.manifest import CheckResult, Counts, Manifest, SplitInfo, StoredFile

MakeTable = Callable[..., pa.Table]
MakeManifest = Callable[..., Manifest]


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
                examples_in=num_examples + 130, examples_out=num_examples, dropped={"too_short": 121, "no_url": 9}
            ),
            "checks": CHECKS,
        }
        return Manifest.model_validate(fields | changes)

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


def _split(name: str, table: pa.Table) -> SplitInfo:
    stored = StoredFile(path=f"{name}.groups.parquet", size_bytes=1, crc32c="0" * 8, sha256="0" * 64)
    return SplitInfo(shards=(), group_table=stored, statistics=statistics_of(table))


@pytest.fixture
def large_version(make_table: MakeTable, make_manifest: MakeManifest) -> tuple[Manifest, dict[str, pa.Table], list]:
    """A version of a realistic shape: two splits, sizes over four decades, an image, a long text."""
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
    return make_manifest(tables), tables, examples
