"""Published version in, models compared out: a report, and figures in the registry."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

from prefect import flow

from flows.training_result import TrainingResult, training_result
from groupstream import UsageError
from groupstream.refs import default_root
from groupstream.stores import is_url
from specs.policy import refuse_forbidden_root, refuse_forbidden_version
from tasks.masking import masked_errors
from tasks.recorded_training import recorded_training
from tasks.reporting import Stages
from tasks.story import told_run
from tasks.time_limit import limited_time
from tasks.train import plan_trials, prepare, train
from tasks.training_report import write_report
from training.spec import TrainSpec


@flow(name="train-and-benchmark", flow_run_name="train on {spec.dataset}", persist_result=False)
def train_and_benchmark(
    spec: TrainSpec, ref: str | None = None, root: str | None = None, output: str | None = None
) -> TrainingResult:
    """Trains with each algorithm and seed, measures held-out groups, and compares.

    Args:
        spec: what to train on what.
        ref: a version that is trained on instead of the spec's, such as one that was just published.
        root: where that lies.
        output: a folder for results; the same spec there goes on where it was. Default: .training in the root, if that
            is a folder, else in the home of who runs this.
    """
    changes = {"dataset": ref, "root": root}
    with masked_errors():
        spec = TrainSpec.model_validate(spec.model_dump() | {name: value for name, value in changes.items() if value})
        refuse_forbidden_version(spec.dataset, spec.root)
        folder = output_folder(spec.root, output)
        with limited_time():
            return _train(spec, folder)


def output_folder(root: str | None, output: str | None) -> Path:
    """Where results go, whether or not a folder is named; see `train_and_benchmark`.

    Raises:
        UsageError: it is an address; results lie on a disk.
        SpecError: the deployment may not write there.
    """
    if output is not None and is_url(output):
        raise UsageError(
            f"output is {output}, an address; results lie on a disk: name a folder, and copy it from there"
        )
    place = root or default_root()
    if output is None and is_url(place):
        return Path("~/.training").expanduser()
    refuse_forbidden_root(output or root)
    return Path(output or f"{place}/.training").expanduser().absolute()


def _train(spec: TrainSpec, output: Path) -> TrainingResult:
    stages, began = Stages(), monotonic()
    with told_run(spec.dataset.partition("@")[0]):
        with stages("Prepare"):
            problem = prepare(spec, output)
        plans = plan_trials(spec, problem, output)
        folder = output / f"{problem.dataset.manifest.ref}-{spec.digest[:12]}"
        with recorded_training(spec, problem, spec.root or default_root(), stages) as run:
            with stages("Train"):
                for plan in plans:
                    train(plan)
            with stages("Report"):
                results = write_report(spec, problem, plans, folder, monotonic() - began)
                run.measured(results)
    return training_result(problem.dataset.manifest.ref, folder, results.evaluation)
