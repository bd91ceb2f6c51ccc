"""Where a build runs, as a spec says it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from groupstream import SpecError
from specs import Dataflow, Flink, Local, Spark, Spec, load_spec

_SPEC = 'name: a\nsource: {kind: csv, paths: ["x.csv"]}\npartitioner: {kind: feature, feature: t}\n'
_DATAFLOW = "kind: dataflow, project: p, region: r, sdk_container_image: i"


@pytest.fixture
def load(tmp_path: Path) -> Any:
    def write_and_load(runner: str, *settings: str) -> Spec:
        (tmp_path / "spec.yaml").write_text(f"{_SPEC}runner: {runner}\n" if runner else _SPEC, encoding="utf-8")
        return load_spec(tmp_path / "spec.yaml", settings)

    return write_and_load


def test_this_machine_is_the_default(load):
    assert load("").runner == load("{kind: local}").runner == load("{}").runner == Local()
    assert load("{num_workers: 2}").runner == load("", "runner.num_workers=2").runner == Local(num_workers=2)


def test_each_kind_is_read(load):
    assert load(f"{{{_DATAFLOW}}}").runner == Dataflow(project="p", region="r", sdk_container_image="i")
    flink = "{kind: flink, job_endpoint: 'localhost:8099', environment_type: LOOPBACK}"
    assert load(flink).runner == Flink(job_endpoint="localhost:8099", environment_type="LOOPBACK")
    spark = "{kind: spark, spark_master_url: 'spark://s:7077', environment_config: image}"
    assert load(spark).runner == Spark(spark_master_url="spark://s:7077", environment_config="image")


def test_a_kind_can_be_set_from_the_command_line(load):
    runner = load(
        "{num_workers: 2}",
        "runner.kind=dataflow",
        "runner.project=p",
        "runner.region=r",
        "runner.sdk_container_image=i",
    ).runner
    assert runner == Dataflow(project="p", region="r", sdk_container_image="i", num_workers=2)


def test_memory_is_of_all_processes_here_and_of_each_elsewhere(load):
    assert load("{num_workers: 3}").runner.num_sharing_memory == 3
    assert load(f"{{{_DATAFLOW}, num_workers: 3}}").runner.num_sharing_memory == 1


def test_workers_share_a_disk_here_and_where_the_build_itself_is_the_worker(load):
    assert not load("").runner.is_distributed
    assert load(f"{{{_DATAFLOW}}}").runner.is_distributed
    flink = "kind: flink, job_endpoint: 'localhost:8099'"
    assert load(f"{{{flink}, environment_config: image}}").runner.is_distributed
    assert not load(f"{{{flink}, environment_type: LOOPBACK}}").runner.is_distributed


@pytest.mark.parametrize(
    ("runner", "said"),
    [
        ("{kind: beam}", "runner.kind is 'beam'; it has dataflow, flink, local, spark"),
        ("3", "runner is 3: input should be a valid dictionary"),
        ("{num_worker: 2}", "runner.num_worker is not a key of a spec; did you mean 'num_workers'?"),
        ("{project: p}", "runner.project is not a key of a spec; it has kind, memory_bytes, num_workers, staging"),
        ("{kind: dataflow, region: r, sdk_container_image: i}", "runner.project is missing: The Google Cloud project"),
        ("{kind: dataflow, project: p, region: r}", "runner.sdk_container_image is missing: The image of a worker"),
        (
            f"{{{_DATAFLOW}, temp_location: /tmp}}",
            "runner.temp_location is '/tmp': string should match pattern '^gs://'",
        ),
        (f"{{{_DATAFLOW}, num_workers: 4, max_num_workers: 2}}", "runner: num_workers 4 is above max_num_workers 2"),
        (f"{{{_DATAFLOW}, staging: /tmp}}", "runner.staging is not a key of a spec"),
        (
            "{kind: flink, environment_type: LOOPBACK}",
            "runner: give job_endpoint (a job server that runs) or flink_master",
        ),
        ("{kind: spark, job_endpoint: 'h:1'}", "runner: environment_type DOCKER needs an environment_config"),
        (
            "{kind: flink, job_endpoint: 'h:1', environment_type: LOOPBACK, environment_config: i}",
            "runner: environment_type LOOPBACK takes no environment_config",
        ),
        (
            "{kind: flink, job_endpoint: 'http://h:1'}",
            "runner.job_endpoint is 'http://h:1': string should match",
        ),
    ],
)
def test_a_wrong_runner_is_named(load, runner, said):
    with pytest.raises(SpecError) as caught:
        load(runner)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "runner",
    [
        "{mode: multi_threading}",
        "{direct_running_mode: multi_threading, num_workers: 2}",
        f"{{{_DATAFLOW}, options: {{direct_running_mode: multi_threading}}}}",
        "{kind: flink, job_endpoint: 'h:1', environment_config: i, options: {direct_running_mode: multi_threading}}",
    ],
)
def test_threads_are_refused_with_the_reason(load, runner):
    with pytest.raises(SpecError, match="loses data in GroupByKey and still ends well; leave it out: several"):
        load(runner)


def test_where_it_runs_changes_nothing_in_the_result(load):
    assert load("").resolved() == load(f"{{{_DATAFLOW}}}").resolved()


def test_a_form_shows_a_tab_for_each_kind():
    schema = Spec.model_json_schema()
    runner = schema["$defs"]["Spec"]["properties"]["runner"] if "$ref" in schema else schema["properties"]["runner"]
    titles = [schema["$defs"][each["$ref"].rsplit("/", 1)[1]]["title"] for each in runner["anyOf"]]
    assert titles == ["This machine", "Dataflow", "Flink", "Spark"]


def test_a_form_that_keeps_keys_of_another_tab_is_read():
    fields = {
        "name": "a",
        "source": {"kind": "csv", "paths": ["x"]},
        "partitioner": {"kind": "feature", "feature": "t"},
    }
    kept = Spec.model_validate({**fields, "runner": {"kind": "local", "num_workers": 2, "project": "p"}})
    assert kept.runner == Local(num_workers=2)
