"""All benchmarks: how each is called, short and full, and what it needs. A new one is an entry of `SUITE`.

`$FOLDER` in arguments is where what is made lies; other names are variables of the system's environment, without which
a benchmark is skipped.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

BENCHMARKS = Path(__file__).parent


@dataclass(frozen=True)
class Benchmark:
    """One of them.

    Attributes:
        name: its module below `benchmarks`, whose results it keeps.
        about: what it shows, in a few words.
        full: arguments of a whole run, which keeps its results beside the benchmark.
        minutes: that the whole run takes on two cores, about.
        disk_gb: that it takes at most, beside what the others have left.
        short: arguments of a short run; None where there is none.
        variables: of the environment, without which it is skipped.
        libraries: that must be installed.
        runs: the module that is called, if it is another one.
    """

    name: str
    about: str
    full: tuple[str, ...] = ("$FOLDER",)
    minutes: float = 1
    disk_gb: float = 1
    short: tuple[str, ...] | None = None
    variables: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    runs: str | None = None

    @property
    def module(self) -> str:
        """What `python -m` takes."""
        return f"benchmarks.{self.runs or self.name}"

    @property
    def kept_file(self) -> Path:
        """The JSON that a whole run leaves."""
        package, _, stem = self.name.rpartition(".")
        folder = BENCHMARKS / (package or (stem if (BENCHMARKS / stem).is_dir() else ""))
        return folder / "results" / f"{stem}.json"

    def short_file(self, folder: Path) -> Path:
        """The JSON that a short run leaves below `folder`."""
        package, _, stem = self.name.rpartition(".")
        return folder / "short" / package / f"{stem}.json"

    def arguments(self, folder: Path, *, is_short: bool, environment: Mapping[str, str] = os.environ) -> list[str]:
        """Of the command, with the folder and variables filled in."""
        words = (self.short or ()) if is_short else self.full
        filled = [Template(word).substitute(environment, FOLDER=str(folder)) for word in words]
        return [*filled, "--results", str(self.short_file(folder).parent)] if is_short else filled

    def why_not(
        self, folder: Path, *, is_short: bool = False, environment: Mapping[str, str] = os.environ
    ) -> str | None:
        """What it lacks here; None where it can run."""
        for variable in self.variables:
            if not environment.get(variable):
                return f"{variable} is not set; see benchmarks/README.md"
        for library in self.libraries:
            if importlib.util.find_spec(library) is None:
                return f"{library} is not installed"
        free_gb = shutil.disk_usage(folder).free / 1e9
        if not is_short and free_gb < self.disk_gb:
            return f"it takes {self.disk_gb:g} GB, and {free_gb:.1f} GB are free in {folder}"
        return None


SUITE = (
    Benchmark(
        "reader.iterate",
        "group by group, against Hugging Face, SQLite, TensorFlow and Dataset Grouper",
        minutes=8,
        short=(
            "$FOLDER",
            "--cases",
            *("raw", "raw_blocks", "stored", "shuffled", "to_numpy", "arrow_copy"),
            *("hf_python", "hf_arrow", "sqlite"),
        ),
        libraries=("datasets",),
    ),
    Benchmark("reader.scale", "more groups, larger examples, one group of 5 GB", minutes=4, disk_gb=7),
    Benchmark("reader.lookup", "one group by its id, among a million", minutes=4, disk_gb=4, libraries=("datasets",)),
    Benchmark(
        "reader.imports",
        "until anything happens",
        minutes=2,
        short=(
            "$FOLDER",
            "--turns=7",
            "--cases",
            *("import groupstream", "open a version", "read the first group", "groupstream --help", "import datasets"),
        ),
        libraries=("datasets",),
    ),
    Benchmark(
        "formats",
        "in memory, SQLite, HDF5 and as streams, from a thousand examples to ten million",
        minutes=90,
        disk_gb=15,
        short=("$FOLDER", "--min-examples=10000", "--max-examples=10000", "--turns=3"),
    ),
    Benchmark(
        "partitioners",
        "each partitioner, against the natural key",
        full=(),
        minutes=2,
        short=("--examples=200000", "--turns=5"),
    ),
    Benchmark(
        "pipeline.dataset_grouper_build",
        "from a TFDS dataset to shards, against Dataset Grouper",
        minutes=4,
        variables=("DATASET_GROUPER_PYTHON",),
    ),
    Benchmark(
        "pipeline.sort_peers",
        "grouping 1.5 and 5 GB, against DuckDB",
        minutes=6,
        disk_gb=14,
        short=("$FOLDER", "--sources=zipf-1.5gb", "--part=0.1"),
        libraries=("duckdb",),
    ),
    Benchmark("pipeline.scale", "1 and 10 GB in a million groups, one hot group, tiny groups", minutes=8, disk_gb=28),
    Benchmark(
        "pipeline.profile",
        "where the time of a build goes, and what the limit is",
        minutes=10,
        disk_gb=6,
        short=("$FOLDER", "--one", "--mb=100", "--turns=3"),
    ),
    Benchmark(
        "pipeline.rates",
        "what one core does of each stage",
        full=("--measure", "--folder", "$FOLDER"),
        libraries=("tensorflow_datasets",),
        runs="pipeline.extrapolate",  # so that docs/fedc4.md follows
    ),
    Benchmark(
        "publish.throughput",
        "publish and pull, against Google's transfer manager",
        full=("/dev/shm",),  # in memory, 7 GB: nothing waits for a disk
        minutes=6,
    ),
    Benchmark("checks.examples", "what checks of examples add to a build", minutes=3, disk_gb=1.5),
    Benchmark("checks.files", "what it takes to read back what was written", minutes=3, disk_gb=1.5),
    Benchmark("checks.groups", "every kind of check of groups, on five million"),
    Benchmark(
        "fedc4_size",
        "15.6 million groups, 10,000 shards, 100,000 versions: which time and memory grows how",
        minutes=30,
        disk_gb=8,
        short=("$FOLDER", "--groups=800000", "--turns=3", "--cases", "join the index", "drift, same seed"),
    ),
    Benchmark("pull.cuts", "5 GB over HTTP, all connections cut ten times", minutes=3, disk_gb=11),
    Benchmark(
        "training.data",
        "a cohort packed from text, against the tokenizer alone",
        full=("$WIKI_ROOT",),
        minutes=5,
        variables=("WIKI_ROOT",),
        libraries=("tokenizers",),
    ),
    Benchmark("training.rounds", "iteration as a share of a training round", minutes=4, libraries=("jax",)),
    Benchmark(
        "training.models",
        "the share of the machine's arithmetic that a training step uses",
        full=(),
        minutes=4,
        short=("--sizes=tiny", "--turns=3"),
        libraries=("jax",),
    ),
)
