"""What a build that fails its checks leaves: nothing published, a report that everybody finds."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import groupstream
from groupstream.manifest import CheckResult
from pipelines.checks import Checked, refuse_failed
from registry import Registry, default_registry_url
from specs import Spec
from tests.prefect_api import post

pytestmark = pytest.mark.integration

STRICT = {
    "examples": {"text": {"min_length": 8}},
    "groups": {"max_examples": 4, "min_groups": 13},
}


def build(fields: dict, **changes):
    from flows.build_dataset import build_dataset

    return build_dataset(Spec.model_validate({**fields, **changes}))


def last_run(root: Path, name: str = "small"):
    registry = Registry(default_registry_url(str(root)))
    try:
        return registry.runs(name, limit=1)[0]
    finally:
        registry.close()


def artifacts_of(server: str, run_id: str) -> dict[str, dict]:
    asked = {"artifacts": {"flow_run_id": {"any_": [run_id]}}}
    found = post(server, "artifacts/filter", asked)
    shown = (artifact for artifact in found if artifact["type"] != "progress")
    return {artifact["key"]: artifact for artifact in shown if artifact["key"]}  # Prefect keeps one without a key


def test_a_failed_check_leaves_a_report_and_no_version(with_server, spec_fields, root):
    with pytest.raises(groupstream.CheckError) as raised:
        build(spec_fields, checks=STRICT)
    folder = Path(raised.value.report)
    assert folder.parent == root / ".reports" / "small" and not (root / "small").exists()
    names = {"report.html", "checks.json", "data_docs.html", "quarantine.parquet"}
    assert {file.name for file in folder.iterdir()} == names
    results = [CheckResult(**fields) for fields in json.loads((folder / "checks.json").read_text())]
    assert tuple(results) == raised.value.results
    page = (folder / "report.html").read_text()
    for failed in (result for result in results if not result.passed):
        assert failed.name in page and failed.name in str(raised.value)
    assert "Not published" in page


def test_the_quarantine_holds_what_broke_a_check(with_server, spec_fields, root):
    with pytest.raises(groupstream.CheckError):
        build(spec_fields, checks=STRICT)
    run = last_run(root)
    table = pq.read_table(f"{run.report}/quarantine.parquet")
    counted = next(r for r in run.checks if r["name"] == "examples that break a check")
    assert len(table) > 0 and f"{len(table):,} of 60" in counted["observed"]


def test_the_registry_has_the_results_and_the_place_of_the_report(with_server, spec_fields, root):
    with pytest.raises(groupstream.CheckError) as raised:
        build(spec_fields, checks=STRICT)
    run = last_run(root)
    assert (run.state, run.report) == ("failed", raised.value.report)
    assert run.checks == [result.model_dump(mode="json") for result in raised.value.results]
    build(spec_fields)
    run = last_run(root)
    assert (run.state, run.report) == ("published", None)
    assert run.checks and all(result["passed"] for result in run.checks)


def test_the_run_in_prefect_has_the_report(with_server, spec_fields, root):
    with pytest.raises(groupstream.CheckError):
        build(spec_fields, name="strict_one", checks=STRICT)
    run = last_run(root, "strict_one")
    found = artifacts_of(with_server, run.prefect_flow_run_id)
    assert set(found) == {"strict-one-checks", "strict-one-report", "strict-one-report-page"}
    rows = json.loads(found["strict-one-checks"]["data"])
    assert {row["check"] for row in rows if row["result"] == "FAILED"} >= {"number of groups", "examples per group"}
    assert "strict_one is not published" in found["strict-one-report"]["data"]
    assert run.report in found["strict-one-report"]["data"]
    assert "report.html" in found["strict-one-report-page"]["data"]


def test_a_published_run_shows_its_checks_and_its_card(with_server, spec_fields, root):
    build(spec_fields, name="fine")
    found = artifacts_of(with_server, last_run(root, "fine").prefect_flow_run_id)
    assert set(found) == {"fine", "fine-version", "fine-sizes", "fine-checks"}
    assert all(row["result"] == "passed" for row in json.loads(found["fine-checks"]["data"]))


def test_examples_that_are_tolerated_are_kept_beside_the_version(with_server, spec_fields, root):
    checks = {"examples": {"text": {"min_length": 8}}, "max_rejected": 60}
    result = build(spec_fields, checks=checks)
    claim = json.loads((Path(result.location) / "claim.json").read_text())
    table = pq.read_table(root / ".reports" / "small" / claim["run"] / "quarantine.parquet")
    assert len(table) == sum(result.manifest.counts.dropped.values()) > 0
    assert not (root / ".reports" / "small" / claim["run"] / "report.html").exists()


def test_a_version_carries_its_cards_and_its_checks(with_server, spec_fields, root):
    result = build(spec_fields, license="MIT")
    names = {file.path for file in result.manifest.files}
    assert names >= {
        "README.md",
        "croissant.json",
        "report/card.html",
        "report/checks.json",
        "report/data_docs.html",
    }
    kept = json.loads((Path(result.location) / "report/checks.json").read_text())
    assert [CheckResult(**fields) for fields in kept] == list(result.manifest.checks)
    assert {check.kind for check in result.manifest.checks} == {"groups", "files"}


def test_the_catalog_lists_what_was_published(with_server, spec_fields, root):
    build(spec_fields)
    build(spec_fields, name="another")
    page = (root / "catalog.html").read_text()
    assert "small/1.0.0/report/card.html" in page and "another/1.0.0/report/card.html" in page


def test_a_source_that_drifted_stops_and_goes_on_once_it_is_accepted(with_server, spec_fields, root):
    checks = {"drift": {"max_groups_change": 0.1}}
    build(spec_fields, checks=checks)
    source = Path(spec_fields["source"]["paths"][0])
    source.write_text(source.read_text() + "".join(f'{{"key": "new{i}", "text": "more"}}\n' for i in range(5)))
    with pytest.raises(groupstream.CheckError, match=r"checks\.drift\.accept=true"):
        build(spec_fields, checks=checks)
    accepted = build(spec_fields, checks={"drift": {"max_groups_change": 0.1, "accept": True}})
    assert accepted.manifest.ref == "small@1.1.0", "groups came to it, and all others are as they were"
    assert not build(spec_fields, checks=checks).built


def test_every_failed_check_is_in_the_message():
    failed = [
        CheckResult(name=name, limit="at least 2", observed="1", passed=False, offenders=("x",)) for name in ("a", "b")
    ]
    words = r"a: 1, the limit is at least 2 \(x\); b: 1, .*Nothing is published; the report is /data/report/report.html"
    with pytest.raises(groupstream.CheckError, match=words) as raised:
        refuse_failed([*failed, CheckResult(name="c", limit="1", observed="1", passed=True)], "/data/report")
    assert "c: 1" not in str(raised.value) and raised.value.report == "/data/report" and len(raised.value.results) == 3
    refuse_failed([CheckResult(name="c", limit="1", observed="1", passed=True)])


def test_an_error_of_checks_can_be_pickled():
    error = groupstream.CheckError("bad", (CheckResult(name="c", limit="1", observed="1", passed=True),), "/data")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.results, again.report) == ("bad", error.results, "/data")


def test_markdown_of_a_report_holds_hostile_names():
    from tasks.artifacts import failure_summary

    result = CheckResult(name="a|b\n<script>", limit="`1`", observed="\x1b[31m", passed=False, offenders=("*x*",))
    text = failure_summary("small", Checked((result,), b""), "/data/report")
    row = next(line for line in text.splitlines() if "script" in line)
    assert row.count("|") == 6 and "<script>" not in row and "\x1b" not in text


@pytest.mark.parametrize(("kind", "names_it"), [("examples", True), ("groups", False)])
def test_markdown_of_a_report_names_the_quarantine_where_there_is_one(kind, names_it):
    from tasks.artifacts import failure_summary

    result = CheckResult(kind=kind, name="a", limit="1", observed="2", passed=False)
    text = failure_summary("small", Checked((result,), b""), "/data/report")
    assert ("groupstream quarantine /data/report" in text) == names_it


def test_artifact_links_open_in_a_browser():
    from tasks.artifacts import artifact_key, browsable

    assert browsable("gs://bucket/a b/card.html") == "https://storage.cloud.google.com/bucket/a%20b/card.html"
    assert browsable("/data/a b/card.html") == "file:///data/a%20b/card.html"
    assert browsable("https://host/card.html") == "https://host/card.html"
    assert artifact_key("_a_b") == "a-b"
