"""The build flow, against a real Prefect server."""

from __future__ import annotations

import contextvars
import json
import logging
import signal
import threading
from pathlib import Path

import pytest

import groupstream
from groupstream.refs import published_versions
from groupstream.stores import LocalStore
from groupstream.verify import verify
from registry import Registry, default_registry_url
from specs import Spec
from tasks.slots import build_slot
from tests.prefect_api import post

pytestmark = pytest.mark.integration


def build(fields: dict, **changes):
    from flows.build_dataset import build_dataset

    return build_dataset(Spec.model_validate({**fields, **changes}))


def folder_bytes(folder: Path) -> dict[str, bytes]:
    """All files of a version but the claim, which says when."""
    files = (f for f in folder.rglob("*") if f.is_file() and f.name != "claim.json")
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in files}


def test_a_build_publishes_a_version_that_reads_back(with_server, spec_fields, root):
    result = build(spec_fields)
    assert result.built and result.manifest.ref == "small@1.0.0" and result.location == f"{root}/small/1.0.0"
    dataset = groupstream.open("small", str(root))
    assert verify(dataset) == 60
    assert {group.name: len(group.table()) for group in dataset["train"]} == {f"k{i}": 5 for i in range(12)}
    stages = ["Locate", "Partition", "Check", "Number", "Draw the card", "Publish", "Register"]
    assert list(result.stage_seconds) == stages
    assert not list((root / ".staging").iterdir())


def test_the_same_spec_and_source_are_not_built_again(with_server, spec_fields, root):
    first, second = build(spec_fields), build(spec_fields)
    assert (first.built, second.built) == (True, False)
    assert second.manifest == first.manifest
    assert published_versions(LocalStore(root), "small") == ["1.0.0"]


def test_the_number_of_a_version_says_what_changed(with_server, spec_fields, root):
    build(spec_fields)
    source = Path(spec_fields["source"]["paths"][0])
    source.write_text(source.read_text() + '{"key": "new", "text": "more"}\n')
    assert build(spec_fields).manifest.ref == "small@1.1.0"
    assert build(spec_fields, seed=5).manifest.ref == "small@1.1.1"
    source.write_text(source.read_text().replace("more", "less"))
    assert build(spec_fields).manifest.ref == "small@2.0.0"
    assert groupstream.open("small", str(root))["train"].num_examples == 61
    assert groupstream.open("small@1.0.0", str(root))["train"].num_examples == 60


def test_a_number_that_says_too_little_is_refused(with_server, spec_fields):
    build(spec_fields)
    source = Path(spec_fields["source"]["paths"][0])
    source.write_text(source.read_text() + '{"key": "new", "text": "more"}\n')
    with pytest.raises(
        groupstream.SpecError, match=r"1\.0\.7 promises the same examples as 1\.0\.0; but: 1 group added"
    ):
        build(spec_fields, publish={**spec_fields["publish"], "version": "1.0.7"})


def test_a_version_number_is_not_used_twice(with_server, spec_fields):
    build(spec_fields, publish={**spec_fields["publish"], "version": "1.0.0"})
    with pytest.raises(groupstream.ConflictError, match=r"small@1.0.0 .* set publish.version|Set publish.version"):
        build(spec_fields, seed=5, publish={**spec_fields["publish"], "version": "1.0.0"})


def test_two_roots_hold_the_same_bytes(with_server, spec_fields, tmp_path):
    places = [tmp_path / "a", tmp_path / "b"]
    workers = [1, 2]
    for place, num_workers in zip(places, workers, strict=True):
        publish = {**spec_fields["publish"], "root": str(place)}
        build(spec_fields, publish=publish, runner={"num_workers": num_workers})
    first, second = (folder_bytes(place / "small" / "1.0.0") for place in places)
    assert sum(name.endswith(".tfrecord") for name in first) > 2 and first == second


def test_the_registry_knows_versions_and_runs(with_server, spec_fields, root):
    result = build(spec_fields)
    build(spec_fields)
    registry = Registry(default_registry_url(str(root)))
    (version,) = registry.versions("small")
    assert (version.version, version.state, version.num_groups, version.num_examples) == ("1.0.0", "published", 12, 60)
    assert (version.digest, version.location) == (result.manifest.digest, result.location)
    assert [run.state for run in registry.runs("small")] == ["unchanged", "published"]
    registry.close()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"checks": {"groups": {"max_examples": 4}}}, "examples per group: 5 to 5, the limit is at least 1, at most 4"),
        ({"checks": {"groups": {"min_groups": 13}}}, "number of groups: 12, the limit is at least 13"),
        ({"checks": {"examples": {"text": {"min_length": 8}}}}, "text: min_length: 9 of 60, the limit is at least 8 "),
    ],
)
def test_a_failed_check_publishes_nothing_and_is_recorded(with_server, spec_fields, root, changes, words):
    with pytest.raises(groupstream.CheckError, match=words):
        build(spec_fields, **changes)
    assert not (root / "small").exists() and not list((root / ".staging").iterdir())
    registry = Registry(default_registry_url(str(root)))
    (run,) = registry.runs("small")
    assert run.state == "failed" and words in run.error and not registry.versions("small")
    registry.close()


def test_why_a_build_failed_says_no_secret_to_prefect_and_to_the_registry(with_server, spec_fields, root, monkeypatch):
    from flows.build_dataset import build_dataset

    monkeypatch.setenv("SOME_TOKEN", "examples per group")
    spec = Spec.model_validate({**spec_fields, "checks": {"groups": {"max_examples": 4}}})
    state = build_dataset(spec, return_state=True)
    registry = Registry(default_registry_url(str(root)))
    (run,) = registry.runs("small")
    registry.close()
    with pytest.raises(groupstream.CheckError) as failed:
        state.result()
    for text in (state.message, run.error, str(failed.value)):
        assert "***: 5 to 5, the limit" in text and "examples per group" not in text


def test_the_manifest_accounts_for_every_example(with_server, spec_fields):
    checks = {"examples": {"text": {"min_length": 8}}, "max_rejected": 60}
    counts = build(spec_fields, checks=checks).manifest.counts
    assert counts.examples_in == 60 == counts.examples_out + sum(counts.dropped.values()) and counts.dropped


def test_the_prefect_run_shows_the_version(with_server, spec_fields):
    result = build(spec_fields, name="shown")
    found = post(with_server, "artifacts/filter", {"artifacts": {"key": {"any_": ["shown"]}}})
    assert result.manifest.ref in found[0]["data"] and "groupstream.open" in found[0]["data"]
    runs = post(with_server, "flow_runs/filter", {"flow_runs": {"name": {"any_": ["build shown"]}}})
    assert [run["state_type"] for run in runs] == ["COMPLETED"]
    assert json.dumps(runs[0]["parameters"])  # the spec is there, for the form


def test_tensorflow_datasets_opens_the_folder(with_server, spec_fields):
    tfds = pytest.importorskip("tensorflow_datasets")
    result = build(spec_fields)
    builder = tfds.builder_from_directory(result.location)
    examples = list(tfds.as_numpy(builder.as_dataset(split="train")))
    assert len(examples) == 60 == builder.info.splits["train"].num_examples
    assert {(e["group_id"], e["key"]) for e in examples} == {(f"k{i}".encode(),) * 2 for i in range(12)}


def test_waiting_for_its_turn_does_not_count_for_the_time_of_a_run(with_server, spec_fields, root, monkeypatch):
    monkeypatch.setenv("GROUPSTREAM_MAX_RUN_SECONDS", "100_000")
    left: dict[str, float] = {}
    has_turn, is_awaited = threading.Event(), threading.Event()

    class Listener(logging.Handler):
        """Keeps what stands on the clock at each line."""

        def emit(self, record: logging.LogRecord) -> None:
            left[record.getMessage().split()[0]] = signal.getitimer(signal.ITIMER_REAL)[0]
            if record.getMessage().startswith("waiting"):
                is_awaited.set()

    def hold_turn() -> None:
        with build_slot(LocalStore(root), "small"):
            has_turn.set()
            is_awaited.wait(60)

    listener, holding = Listener(), threading.Thread(target=contextvars.copy_context().run, args=[hold_turn])
    logging.getLogger("groupstream").addHandler(listener)
    holding.start()
    assert has_turn.wait(60)
    try:
        build(spec_fields)
    finally:
        logging.getLogger("groupstream").removeHandler(listener)
        holding.join()
    assert left["waiting"] < 10_000 < left["Partition"]
