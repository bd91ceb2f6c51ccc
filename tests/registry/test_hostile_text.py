"""Text that somebody else chose stays data, on both databases: nothing it says is done, and nothing breaks on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from groupstream.catalog import DatasetCatalog
from groupstream.catalog.changes import set_alias, set_deprecated
from groupstream.errors import UsageError
from groupstream.manifest import CheckResult, Manifest
from registry import Metric, PullRecord, Registry
from registry.columns import storable

MONDAY = datetime(2024, 1, 1, 12, tzinfo=UTC)
TEXTS = {
    text: storable(text)
    for text in [
        "'); DROP TABLE versions; --",
        '"; DROP TABLE versions; --',
        "%(name)s %s :name ? $1 {0} \\",
        "a\x00b\udcff",
        "<script>\r\n\x1b[31m",
        "\u202eabc\ufffe\U0001f600",
    ]
}


@pytest.fixture(autouse=True)
def _tables_stay(registry: Registry, make_manifest: Callable[..., Manifest]) -> Iterator[None]:
    registry.record_published(make_manifest("9.0.0", name="witness"), "/data", MONDAY)
    before = registry.versions("witness")
    yield
    assert registry.versions("witness") == before


def test_text_of_a_run_stays_data(registry: Registry):
    for text, stored in TEXTS.items():
        registry.start_run(
            text, text, "fedwiki", text, text, kind=text, spec={text: text}, prefect_url=f"http://{text}"
        )
        result = CheckResult(name=text, limit=text, observed=text, passed=False, offenders=(text,))
        registry.record_checks(text, [result], text)
        registry.record_metrics(text, [Metric(text, 0.5)])
        registry.record_use(text, text, text, text)
        registry.finish_run(text, "failed", text, {text: 1.0}, text)
        (run,) = registry.runs("fedwiki", root=text)
        assert {run.id, run.root, run.digest, run.prefect_flow_run_id, run.kind} == {stored}
        assert {run.version, run.error, run.report} == {stored}
        assert (run.spec, run.stage_seconds, run.prefect_url) == ({stored: stored}, {stored: 1.0}, f"http://{stored}")
        assert run.checks == [storable(result.model_dump(mode="json"))]
        assert registry.metrics(text) == [Metric(stored, 0.5)]
        assert [each.id for each in registry.lineage(text, text, text).runs] == [stored]
        assert registry.last_used(text, text) == {stored: run.started_at}


def test_text_of_a_version_stays_data(registry: Registry, make_manifest: Callable[..., Manifest]):
    """A group id comes into the registry as an offender of a check, and in the message of an error."""
    for text, stored in TEXTS.items():
        check = CheckResult(name=text, limit=text, observed=text, passed=True, offenders=(text,))
        source = {"kind": "groupstream", "ref": f"{text}@{text}", "digest": text}
        manifest = make_manifest(digest=text, spec={"is": [text]}, source=source, checks=(check,), code={"is": text})
        registry.reserve_version(manifest, text, text)
        registry.record_published(manifest, text, MONDAY)
        (record,) = registry.versions("fedwiki", text)
        assert {record.digest, record.run_id, record.root, record.parent_name, record.parent_version} == {stored}
        assert (record.spec, record.code) == ({"is": [stored]}, {"is": stored})
        assert record.checks[0]["offenders"] == [stored]
        (parent,) = registry.lineage(text, "fedwiki", "1.0.0").parents
        assert (parent.name, parent.version, parent.digest) == (stored, stored, stored)


def test_text_of_a_catalog_stays_data(registry: Registry, make_catalog: Callable[..., DatasetCatalog]):
    for text, stored in TEXTS.items():
        catalog = set_deprecated(make_catalog("1.0.0", digest=text), "1.0.0", text, MONDAY, text)
        registry.sync_catalog(text, set_alias(catalog, "stable", "1.0.0", MONDAY, text * 1_000))
        (record,) = registry.versions("fedwiki", text)
        assert (record.state, record.message, record.changed_by) == ("deprecated", stored, stored)
        assert (record.digest, record.location) == (stored, f"{stored}/fedwiki/1.0.0")
        assert [move.by for move in registry.alias_history(text, "fedwiki")] == ["me", stored * 1_000]
        assert registry.aliases(text, "fedwiki") == {"latest": "1.0.0", "stable": "1.0.0"}
        before = registry.versions()
        registry.sync_catalog(text, catalog)
        assert registry.versions() == before


def test_text_of_a_pull_stays_data(registry: Registry):
    for text, stored in TEXTS.items():
        registry.record_pulls(text, [PullRecord(text, text, text, MONDAY, text, [text], 10)] * 2)
        expected = PullRecord(stored, stored, stored, MONDAY, stored, (stored,), 10)
        assert registry.pulls(text, text) == registry.pulls(text, text, text) == [expected]
        assert registry.last_used(text, text) == {stored: MONDAY}


def test_text_that_cannot_be_a_name_or_a_number_is_refused(registry: Registry, make_manifest: Callable[..., Manifest]):
    manifest = make_manifest()
    for text in TEXTS:
        named, numbered = (manifest.model_copy(update={field: text}) for field in ("name", "version"))
        refused: list[Callable[[], object]] = [
            lambda text=text: registry.start_run("r1", "/data", text, "d1"),
            lambda named=named: registry.reserve_version(named, "/data"),
            lambda numbered=numbered: registry.record_published(numbered, "/data", MONDAY),
            lambda text=text: registry.sync_catalog("/data", DatasetCatalog.model_construct(name=text)),
        ]
        for each in refused:
            with pytest.raises(UsageError) as caught:
                each()
            assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value)
    assert [each.name for each in registry.datasets()] == ["witness"]


def test_nothing_is_found_by_text_that_nobody_recorded(registry: Registry):
    for text in TEXTS:
        assert registry.versions(text) == registry.versions(root=text) == registry.runs(text) == []
        assert registry.alias_history(text, text) == registry.pulls(text, text, text) == registry.metrics(text) == []
        assert registry.aliases(text, text) == registry.last_used(text, text) == {}
        assert registry.datasets(text) == []
        registry.record_failed(text, text, text, text)
        registry.record_missing(text, text, text)
