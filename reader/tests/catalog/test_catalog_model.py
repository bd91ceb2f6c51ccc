from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from groupstream import CorruptError, Manifest
from groupstream.catalog import CatalogVersion, DatasetCatalog, describe_published
from groupstream.catalog.changes import set_deleted, set_deprecated

NOW = datetime(2026, 11, 28, 20, tzinfo=UTC)


def test_a_catalog_is_the_same_after_it_was_written(catalog_of: Any) -> None:
    catalog = set_deprecated(catalog_of("1.0.0", "2.0.0"), "1.0.0", "\x1b é", NOW, "me")
    content = catalog.to_json()
    assert DatasetCatalog.from_json(content, "here") == catalog
    assert json.loads(content)["format_version"] == 1
    assert DatasetCatalog(name="text").to_json() == b'{\n "format_version": 1,\n "name": "text"\n}\n'


def test_what_a_later_library_adds_is_read_past() -> None:
    version = {
        "version": "1.0.0", "digest": "d", "manifest_sha256": "s", "published_at": "2026-11-28T20:00:00Z", "colour": 1,
    }  # fmt: skip
    content = json.dumps({"format_version": 1, "name": "text", "versions": [version], "mood": "good"}).encode()
    assert DatasetCatalog.from_json(content, "").readable() == ["1.0.0"]


def test_a_newer_format_says_what_to_do() -> None:
    with pytest.raises(CorruptError, match=r"^x/catalog\.json has format 2, this library reads up to 1; upgrade"):
        DatasetCatalog.from_json(b'{"format_version": 2, "anything": []}', "x/catalog.json")


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"null", b"[]", b"{}", b"[" * 100_000, b'{"format_version": "x"}', b'{"format_version": 1e999}'],
)
def test_what_is_no_catalog_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(CorruptError, match=r"^here is not a catalog: (.|\n)*Mend it with: groupstream doctor$"):
        DatasetCatalog.from_json(content, "here")


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "../text"},
        {"aliases": {"latest": "../../other/1.0.0"}},
        {"aliases": {"../x": "1.0.0"}},
        {"versions": [{"version": "../1.0.0"}]},
        {"versions": [{"published_at": "2026-11-28T20:00:00"}]},
        {"versions": [{"state": "asleep"}]},
        {"history": [{"alias": "latest", "version": "x", "at": "2026-11-28T20:00:00Z"}]},
    ],
)
def test_no_name_in_it_leads_out_of_its_folder(catalog_of: Any, fields: dict[str, Any]) -> None:
    whole = json.loads(catalog_of("1.0.0").to_json())
    if "versions" in fields:
        fields = {"versions": [{**whole["versions"][0], **fields["versions"][0]}]}
    with pytest.raises(CorruptError, match="is not a catalog"):
        DatasetCatalog.from_json(json.dumps(whole | fields).encode(), "here")


def test_times_are_in_utc(published: Any) -> None:
    here = datetime(2026, 11, 28, 23, tzinfo=timezone(timedelta(hours=3)))
    assert published("1.0.0", published_at=here).published_at.isoformat() == "2026-11-28T20:00:00+00:00"


def test_a_published_version_is_described_by_its_manifest(golden: Path) -> None:
    content = (golden / "text" / "1.0.0" / "manifest.json").read_bytes()
    manifest = Manifest.from_json(content, "")
    described = describe_published(manifest, content, NOW, "run-1")
    assert described.version == "1.0.0"
    assert (described.run, described.digest, described.state) == ("run-1", manifest.digest, "published")
    assert {name: split.model_dump() for name, split in described.splits.items()} == {
        "train": {"num_groups": 8, "num_examples": 40, "num_bytes": 6519, "num_words": 186}
    }
    files = {f for f in (golden / "text" / "1.0.0").rglob("*") if f.is_file()}
    assert described.size_bytes == sum(f.stat().st_size for f in files if f.name not in ("manifest.json", "claim.json"))
    assert list(described.features) == sorted(manifest.features)
    assert CatalogVersion.model_validate_json(described.model_dump_json()) == described


def test_what_is_newest_is_not_deprecated_if_there_is_one_that_is_not(catalog_of: Any) -> None:
    assert DatasetCatalog(name="text").newest() is None
    catalog = catalog_of("1.0.0", "1.10.0", "1.9.0")
    assert catalog.newest() == "1.10.0"
    assert set_deprecated(catalog, "1.10.0", "bad", NOW).newest() == "1.9.0"
    only = set_deprecated(catalog_of("1.0.0"), "1.0.0", "bad", NOW)
    assert only.newest() == "1.0.0"
    assert set_deleted(only, "1.0.0", "worse", NOW).newest() is None
