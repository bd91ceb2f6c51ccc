"""The report of a training run: a page of its own, the figures in the registry, and both in the Prefect UI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from prefect import task
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from cards.markdown import escaped_line
from cards.training import TrainingFacts, percentile_table, write_results
from cards.training.study import write_study
from cards.training.study_table import CellResult
from groupstream import __version__
from tasks.artifacts import artifact_key, never_failing
from tasks.links import browsable
from training.spec import TrainSpec
from training.study import Study

if TYPE_CHECKING:
    import pyarrow as pa

    from training.problem import Problem
    from training.results import Results
    from training.trial import TrialPlan

PROTOCOLS = {"divided": "held_out", "paper": "paper"}


@task(name="report", task_run_name="write the report", cache_policy=NO_CACHE)
def write_report(
    spec: TrainSpec, problem: Problem, plans: Sequence[TrialPlan], folder: Path, seconds: float
) -> Results:
    """Writes report.html and the tables that it draws. Shows them in the Prefect UI."""
    from training.results import read_results

    results = read_results(plans)
    facts = facts_of(spec, problem, results, seconds)
    write_results(folder, facts, results.rounds, results.evaluation)
    (folder / "spec.yaml").write_text(facts.settings, encoding="utf-8")
    with never_failing(f"the report of {facts.dataset}"):
        _show(facts, results, folder)
    return results


def _show(facts: TrainingFacts, results: Results, folder: Path) -> None:
    key = artifact_key(facts.dataset.partition("@")[0])
    percentiles = percentile_table(results.evaluation)
    create_markdown_artifact(
        in_markdown(percentiles, facts), key=f"{key}-training", description=f"trained on {facts.dataset}"
    )
    create_link_artifact(browsable(f"{folder}/report.html"), "the whole report", key=f"{key}-training-report")


@task(name="study-page", task_run_name="put the trainings beside each other", cache_policy=NO_CACHE)
def write_study_page(study: Study, results: Sequence[CellResult], folder: Path) -> Path:
    """Writes study.html and its table. Shows the way to it in the Prefect UI."""
    settings = yaml.safe_dump(study.model_dump(mode="json"), sort_keys=False)
    page = write_study(folder, study.title, results, settings)
    create_link_artifact(browsable(str(page)), "the study", key="study", description=study.title)
    return page


def facts_of(spec: TrainSpec, problem: Problem, results: Results, seconds: float) -> TrainingFacts:
    """What stands at the head of the report."""
    from training.devices import peak_memory_bytes
    from training.utilization import model_flop_utilization

    rates = {name: ending.matrix_rate for name, ending in results.endings.items()}
    counts = sum_of_counts(results)
    settings = spec.model_copy(update={"dataset": problem.dataset.manifest.ref}).model_dump(mode="json")
    notes = [f"Held out: {problem.groups.rule}."]
    notes += [f"It diverged: {words}." for words in results.diverged]
    if problem.tokenizer is not None:
        notes.append(
            f"Tokenizer: {problem.tokenizer.kind}, {problem.tokenizer.vocab_size:,} tokens, SHA-256 "
            f"{problem.tokenizer.digest}."
        )
    return TrainingFacts(
        dataset=problem.dataset.manifest.ref,
        model=model_in_words(spec, problem),
        num_parameters=max(ending.num_params for ending in results.endings.values()),
        num_rounds=spec.rounds,
        cohort_size=spec.cohort_size,
        num_local_steps=spec.local_steps,
        batch_size=spec.batch_size,
        seeds=spec.seeds,
        device="; ".join(dict.fromkeys(ending.device for ending in results.endings.values())),
        protocol=PROTOCOLS[spec.evaluation.protocol],  # type: ignore[arg-type]
        num_targets_seen=targets_seen(results),
        wall_seconds=seconds,
        peak_memory_bytes=peak_memory_bytes(),
        model_flop_utilization=model_flop_utilization(problem, results.rounds, rates),
        counts=counts,
        settings=yaml.safe_dump(settings, sort_keys=False),
        groupstream_version=__version__,
        notes=notes,
    )


def model_in_words(spec: TrainSpec, problem: Problem) -> str:
    """Its kind and its sizes."""
    sizes = asdict(problem.sizes)
    if spec.model.kind != "transformer":
        return f"{_in_words(spec.model.kind)}, {', '.join(f'{_in_words(k)} {v}' for k, v in sizes.items())}"
    return (
        f"transformer, {sizes['num_layers']} layers of width {sizes['width']}, {sizes['vocabulary_size']:,} tokens, "
        f"sequences of {sizes['sequence_length']}, {sizes['dtype']}"
    )


def sum_of_counts(results: Results) -> dict[str, int]:
    """What became of clients and groups, by its reason, where there were any."""
    training = [asdict(counts) for counts in results.packing.values()]
    summed = {name: sum(counts[name] for counts in training) for name in training[0]}
    words = {f"training: {_in_words(name)}": number for name, number in summed.items() if number}
    return words | {f"held out: {_in_words(name)}": number for name, number in results.held_out.items() if number}


def targets_seen(results: Results) -> dict[str, int]:
    """Targets that each algorithm learned from, of all seeds."""
    seen = results.rounds.group_by("algorithm").aggregate([("num_targets", "sum")])
    return dict(zip(seen["algorithm"].to_pylist(), seen["num_targets_sum"].to_pylist(), strict=True))


def in_markdown(percentiles: pa.Table, facts: TrainingFacts) -> str:
    """The percentiles of held-out groups as a table."""
    names = ("algorithm", "measure", "moment", "p10", "p50", "p90")
    rows = [" | ".join(_shown(row[name]) for name in names) for row in percentiles.to_pylist()]
    head = f"Held-out groups of {facts.dataset}, {facts.protocol_words}, at 10, 50 and 90 % of the groups."
    return "\n".join([head, "", f"| {' | '.join(names)} |", f"|{'---|' * len(names)}", *(f"| {row} |" for row in rows)])


def _in_words(name: str) -> str:
    return name.removeprefix("num_").replace("_", " ")


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else escaped_line(str(value), 100)
