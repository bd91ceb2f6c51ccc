"""The training flow on a real server: what it leaves, what a second run does, and a run that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from registry import Registry, default_registry_url
from specs import Spec
from training.spec import TrainSpec

pytestmark = pytest.mark.integration

FIELDS = {
    "dataset": "small",
    "model": {"kind": "transformer", "sequence_length": 16, "tokenizer": {"kind": "bytes"}},
    "rounds": 4,
    "cohort_size": 2,
    "local_steps": 2,
    "batch_size": 4,
    "checkpoint_rounds": 1,
    "evaluation": {"max_groups": 4, "fraction": 0.4, "learning_rates": [0.1]},
}


@pytest.fixture
def built(with_server, spec_fields, root):
    """A published version in the root."""
    from flows.build_dataset import build_dataset

    build_dataset(Spec.model_validate(spec_fields))
    return root


def run_train(root: Path, **changes):
    from flows.train_and_benchmark import train_and_benchmark

    return train_and_benchmark(TrainSpec.model_validate({**FIELDS, "root": str(root), **changes}))


def test_a_run_leaves_a_report_figures_in_the_registry_and_artifacts(built, with_server):
    from tests.flows.test_story import artifacts_of, runs_of

    result = run_train(built)
    assert result.dataset == "small@1.0.0" and Path(result.report).is_relative_to(built / ".training")
    page = Path(result.report).read_text()
    assert "small@1.0.0" in page and "fedavg" in page and "fedsgd" in page
    assert {row.algorithm for row in result.percentiles} == {"fedavg", "fedsgd"}

    (run,) = runs_of(with_server, "train on small")
    found = artifacts_of(with_server, run["id"])
    assert {"small-training", "small-training-report", "small-train"} <= set(found)
    assert found["small-train"]["data"] == 100 and "Trained 4 of 4 rounds" in found["small-train"]["description"]
    assert "fedavg" in found["small-training"]["data"]

    registry = Registry(default_registry_url(str(built)))
    try:
        record = registry.run(run["id"])
        metrics = {metric.name: metric.value for metric in registry.metrics(run["id"]) if metric.step is None}
        losses = [m.value for m in registry.metrics(run["id"]) if m.name == "fedavg/seed0/loss"]
    finally:
        registry.close()
    assert (record.kind, record.state, record.dataset) == ("train", "completed", "small")
    after = next(
        row for row in result.percentiles if (row.algorithm, row.measure, row.moment) == ("fedavg", "loss", "after")
    )
    assert metrics["fedavg/loss_after/p50"] == after.p50
    assert len(losses) == 4

    again = run_train(built)
    assert again.percentiles == result.percentiles, "nothing is trained twice"
    more = run_train(built, algorithms=[{"kind": "fedavg"}, {"kind": "fedprox", "mu": 0.1}])
    assert [row for row in more.percentiles if row.algorithm == "fedavg"] == [
        row for row in result.percentiles if row.algorithm == "fedavg"
    ], "a trial that is done stands in another run, too"


def test_a_run_that_is_killed_goes_on_to_the_figures_of_an_undisturbed_one(built, process_environment, tmp_path):
    spec = tmp_path / "train.yaml"
    spec.write_text(json.dumps({**FIELDS, "root": str(built), "algorithms": [{"kind": "scaffold"}], "rounds": 30}))

    compiled = {
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    environment = process_environment | compiled

    def command(output: str) -> list[str]:
        main = "from groupstream.cli import main; main()"
        return [sys.executable, "-c", main, "train", str(spec), "--output", str(tmp_path / output), "--json"]

    killed = subprocess.Popen(command("killed"), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and not list((tmp_path / "killed").glob("trials/*/checkpoints/3")):
        assert killed.poll() is None, killed.stderr.read()
        time.sleep(0.05)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert not list((tmp_path / "killed").glob("trials/*/trial.json"))

    results = []
    for output in ("killed", "undisturbed"):
        done = subprocess.run(command(output), env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        results.append(json.loads(done.stdout))
    assert results[0]["percentiles"] == results[1]["percentiles"]
    tables = [
        pq.read_table(next((tmp_path / o).glob("trials/*/evaluation-*.parquet"))) for o in ("killed", "undisturbed")
    ]
    assert tables[0] == tables[1]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"cohort_size": 50}, "a cohort has 1 to"),
        ({"model": {"kind": "cnn"}}, "no feature of small@1.0.0 is clearly the label"),
        ({"dataset": "smal"}, "smal"),
        ({"algorithms": [{"kind": "fedavg", "client": {"rate": {"peak": 1e30}}}]}, "lower its client.rate"),
    ],
)
def test_what_is_wrong_is_said_and_recorded(built, changes, says):
    from groupstream import GroupstreamError

    with pytest.raises(GroupstreamError, match=says):
        run_train(built, **changes)


def test_a_study_puts_trainings_beside_each_other(built, with_server):
    from flows.run_study import run_study
    from training.study import Study

    train = {**FIELDS, "root": str(built), "algorithms": [{"kind": "fedavg"}], "rounds": 1}
    study = Study.model_validate({"title": "Steps", "train": train, "vary": {"local_steps": [1, 2]}})
    result = run_study(study)
    page = Path(result.page).read_text()
    assert "local_steps 1" in page and "local_steps 2" in page and page.count("<svg") == 2
    for report in result.reports:
        assert os.path.relpath(report, Path(result.page).parent) in page and Path(report).exists()
    assert run_study(study) == result


def test_a_study_builds_what_it_trains_on(built, with_server):
    from flows.run_study import run_study
    from groupstream import SpecError
    from training.study import Study

    train = {**FIELDS, "root": str(built), "algorithms": [{"kind": "fedavg"}], "rounds": 1}
    source = {"kind": "groupstream", "ref": "small@latest", "root": str(built)}
    builds = [
        {"name": f"drawn-{count}", "source": source, "partitioner": {"kind": "iid", "num_groups": count}}
        for count in (10, 12)
    ]
    fields = {"title": "Sizes", "train": train, "builds": builds, "vary": {"dataset": ["drawn-10", "drawn-12"]}}
    with pytest.raises(SpecError, match=r"builds\.1\.name: .*"):
        run_study(Study.model_validate({**fields, "builds": [builds[0], {**builds[1], "name": "No!"}]}))
    assert not (built / "drawn-10").exists()
    result = run_study(Study.model_validate(fields))
    assert len(result.reports) == 2 and all(Path(report).exists() for report in result.reports)
    assert run_study(Study.model_validate(fields)) == result
    assert [path.name for path in (built / "drawn-10").iterdir() if path.name[0].isdigit()] == ["1.0.0"]
