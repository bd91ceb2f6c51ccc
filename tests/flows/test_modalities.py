"""Text, images, tables and sound take one path: what docs/modalities.md shows is built, read back and trained on."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import groupstream
from groupstream import Dataset
from groupstream.verify import verify
from specs import Spec, load_spec
from tests.extent import ALL
from tests.flows.modality_files import MODALITIES, Modality
from training.round_log import read_rounds
from training.spec import TrainSpec

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/modalities.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def specs_on_page(title: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a section builds, and what it trains."""
    build, train = (yaml.safe_load(b) for b in re.findall(r"^```yaml\n(.*?)^```$", SECTIONS[title], re.M | re.S))
    return build, train


@pytest.fixture(scope="module", autouse=True)
def compiled_fast() -> Iterator[None]:
    """What is compiled here runs for seconds: optimizing it takes longer."""
    import jax

    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def output(root: Path) -> Path:
    """Where trainings leave what they found."""
    return root / ".training"


def build(fields: Mapping[str, Any] | Spec) -> Dataset:
    """The published version, of which every byte was checked; nothing of its source is lost."""
    from flows.build_dataset import build_dataset

    dataset = groupstream.open(build_dataset(Spec.model_validate(fields, extra="forbid")).location)
    counts = dataset.manifest.counts
    assert counts.examples_in == counts.examples_out + sum(counts.dropped.values())
    assert counts.examples_out == verify(dataset) == dataset["train"].num_examples
    return dataset


def train(fields: Mapping[str, Any], dataset: Dataset, output: Path) -> None:
    """Both algorithms end with a report, and with a lower loss than they began with; no client is lost or cut."""
    from flows.train_and_benchmark import train_and_benchmark

    spec = TrainSpec.model_validate({**fields, "dataset": dataset.location}, extra="forbid")
    result = train_and_benchmark(spec, output=str(output))
    assert {row.algorithm for row in result.percentiles} == {"fedavg", "fedsgd"}
    assert all(math.isfinite(value) for row in result.percentiles for value in (row.p10, row.p50, row.p90))
    assert dataset.manifest.ref in Path(result.report).read_text()
    trials = sorted(output.glob("trials/*"))
    assert [trial.name.partition("-")[0] for trial in trials] == ["fedavg", "fedsgd"]
    for trial in trials:
        rounds = read_rounds(trial)
        assert len(rounds) == spec.rounds
        assert all(figures.packing.num_clients == spec.cohort_size for figures in rounds)
        losses = [figures.loss_before for figures in rounds]
        last = losses[-(len(losses) // 3) :]  # of several rounds: each has other clients
        assert np.mean(last) < 0.95 * losses[0], (trial.name, losses)


def plain(value: Any) -> Any:
    """A value of any framework as Python has it; a tensor as its bytes."""
    if hasattr(value, "__array__"):
        value = np.asarray(value)
        return value.tobytes() if value.ndim else value.item()
    return value


def examples_of(batches: Iterator[Mapping[str, Any]], features: tuple[str, ...]) -> Counter[tuple[Any, ...]]:
    """What stands in batches, example by example."""
    return Counter(
        tuple(map(plain, values)) for batch in batches for values in zip(*(batch[f] for f in features), strict=True)
    )


def streams_of(dataset: Dataset, features: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...], Any]]:
    """The same examples through each framework that is here: its name, what it can hold of them, and its batches."""
    groups = dataset["train"].shuffle(seed=7)
    yield "numpy", features, groups.to_numpy(batch_size=7)
    if find_spec("torch"):
        from torch.utils.data import DataLoader

        yield "torch", features, DataLoader(groups.to_torch(batch_size=7), batch_size=None)
    numbers = tuple(f for f in features if dataset.features[f].dtype not in ("string", "bytes"))
    if numbers and find_spec("jax"):
        yield "jax", numbers, groups.select(*numbers).to_jax(batch_size=7)


@pytest.mark.filterwarnings("ignore:'set_vital' is deprecated:UserWarning")  # torch.utils.data asks PyTorch for it
@pytest.mark.parametrize("modality", MODALITIES, ids=lambda modality: modality.title)
def test_a_modality_is_built_checked_streamed_and_trained_on(
    modality: Modality, with_server: str, root: Path, output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    to_build, to_train = specs_on_page(modality.title)
    (tmp_path / to_build["name"]).mkdir()
    written = Counter(modality.write(tmp_path / to_build["name"]))

    dataset = build({**to_build, "publish": {"root": str(root), "shard_bytes": 20_000}})
    assert dataset.manifest.counts.dropped == {modality.rejected: 1}
    drawn = all(group is None for group, _ in written)
    read = Counter(
        (None if drawn else group.name, tuple(plain(example[f]) for f in modality.features))
        for group in dataset["train"]
        for example in group.examples()
    )
    assert read == written

    for framework, features, batches in streams_of(dataset, modality.features):
        places = [modality.features.index(feature) for feature in features]
        expected: Counter[tuple[Any, ...]] = Counter()
        for (_, values), count in written.items():
            expected[tuple(values[place] for place in places)] += count
        assert examples_of(batches, features) == expected, framework

    train(to_train, dataset, output)


def test_each_section_is_run_and_each_is_in_the_table() -> None:
    assert [modality.title for modality in MODALITIES] == list(SECTIONS)
    assert re.findall(r"^\| \[(.*?)\]\(#(.*?)\)", PAGE, re.MULTILINE) == [
        (title, title.lower().replace(" ", "-")) for title in SECTIONS
    ]


CLIENTS = "partitioner={kind: label_dirichlet, feature: label, num_groups: 20, alpha: 10}"
SMALL = {"rounds": 8, "cohort_size": 4, "local_steps": 4, "batch_size": 8}
HELD_OUT = {"max_groups": 8, "learning_rates": [0.01], "num_steps": 4, "test_steps": 4}


def rates(fedavg: float, fedsgd: float) -> list[dict[str, Any]]:
    """Two algorithms with these rates."""
    return [
        {"kind": "fedavg", "client": {"rate": {"peak": fedavg}}},
        {"kind": "fedsgd", "server": {"rate": {"peak": fedsgd}}},
    ]


REAL = {  # that nothing is lost of all of each, and every value: tests/flows/test_shared_data.py
    "tinyshakespeare": (
        [],
        {"kind": "transformer", "sequence_length": 32, "tokenizer": {"kind": "bytes"}},
        {"algorithms": rates(0.2, 0.1)},
    ),
    "cifar100_png": (
        ["source.paths=[cifar100_train_first50_per_class.tar]", CLIENTS, "checks.groups={min_groups: 20}"],
        {"kind": "cnn"},
        {"algorithms": rates(0.1, 0.1), "local_steps": 12},
    ),
    "mnist_idx": (
        [
            "source.images=[t10k-images-idx3-ubyte.gz]",
            "source.labels=[t10k-labels-idx1-ubyte.gz]",
            CLIENTS,
            "checks.groups={min_groups: 20}",
        ],
        {"kind": "logistic_regression"},
        {"algorithms": rates(0.01, 0.02), "rounds": 30, "cohort_size": 8},
    ),
    "web_reddit": (
        [
            "source.features={subreddit_id: string, score: int64, num_comments: int64, over_18: string, is_self: bool}",
            "partitioner.feature=subreddit_id",
            "text_features=[]",
            "checks={examples: {num_comments: {min_value: 0}}, groups: {min_groups: 70, max_groups: 70}}",
        ],
        {
            "kind": "logistic_regression",
            "label": "is_self",
            "numbers": ["score", "num_comments"],
            "categories": ["over_18"],
            "standardise": True,
        },
        {"algorithms": rates(0.05, 0.2), "rounds": 30, "cohort_size": 8},
    ),
}


FAST = ("mnist_idx", "web_reddit")  # images and a table; written text and encoded images are trained on above


@pytest.mark.shared_data
@pytest.mark.parametrize("name", REAL if ALL else FAST)
def test_real_data_of_a_modality_takes_the_same_path(
    name: str, with_server: str, root: Path, output: Path, shared_data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, model, fields = REAL[name]
    monkeypatch.chdir(shared_data(name))
    dataset = build(load_spec(ROOT / f"tests/shared_specs/{name}.yaml", [f"publish.root={root}", *settings]))
    assert dataset.manifest.counts.dropped == {}
    train({**SMALL, **fields, "model": model, "evaluation": HELD_OUT}, dataset, output)
