"""What is compared. A format is one entry of `FORMATS`."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.formats import files

IN_MEMORY, HIERARCHICAL, STREAMING = "in memory", "hierarchical", "streaming"
OURS = "groupstream"
DATASET_GROUPER_PYTHON, FORMATS_PYTHON = "DATASET_GROUPER_PYTHON", "FORMATS_PYTHON"  # see benchmarks/peers


@dataclass(frozen=True)
class Format:
    """A format, and how it is read.

    Attributes:
        kind: in memory; hierarchical, which is groups by their ids in a random order; or streaming.
        files: makes its files for a version below a folder, and says where they lie.
        arguments: of the Python that reads them.
        needs: a library that this environment may lack.
        variable: of the system's environment; it names the Python that reads, and not this one does.
    """

    name: str
    kind: str
    files: Callable[[Path, str], Path]
    arguments: Callable[[Path, str], list[str]]
    needs: str = "groupstream"
    variable: str | None = None

    @property
    def why_not_measured(self) -> str | None:
        """What is not installed; None where all is."""
        if self.variable is not None:
            return None if os.environ.get(self.variable) else f"not measured: {self.variable} is not set"
        return None if importlib.util.find_spec(self.needs) else f"not measured: {self.needs} is not installed"

    def command(self, folder: Path, name: str) -> list[str]:
        """Reads all groups of a version, and prints what `group_loop` says."""
        python = os.environ[self.variable] if self.variable else sys.executable
        return [python, *self.arguments(folder, name)]


def _here(name: str, kind: str, reader: str, made: Callable[[Path, str], Path], needs: str = "groupstream") -> Format:
    def arguments(folder: Path, version: str) -> list[str]:
        return ["-m", "benchmarks.formats.read", reader, str(folder), version]

    return Format(name, kind, made, arguments, needs)


def _peer(name: str, kind: str, made: Callable[[Path, str], Path], variable: str, script: str, *more: str) -> Format:
    def arguments(folder: Path, version: str) -> list[str]:
        return [str(files.PEERS / script), str(made(folder, version)), *more]

    return Format(name, kind, made, arguments, variable=variable)


def _fedjax(folder: Path, version: str) -> Path:
    return files.fedjax_file(folder, version, os.environ[FORMATS_PYTHON])


def _mosaic(folder: Path, version: str) -> Path:
    return files.mosaic_folder(folder, version, os.environ[FORMATS_PYTHON])


def _dataset_grouper(folder: Path, version: str) -> list[str]:
    shards = files.dataset_grouper_folder(folder, version)
    return [str(files.PEERS / "read_dataset_grouper.py"), "texts", f"{shards}/texts", f"{shards}/train-*.tfrecord"]


FORMATS = (
    _here("dictionary of lists", IN_MEMORY, "in_memory", files.sorted_file),
    _peer("FedJAX, SQLite", HIERARCHICAL, _fedjax, FORMATS_PYTHON, "read_fedjax.py"),
    _here("HDF5 as TFF has it", HIERARCHICAL, "hdf5", files.hdf5_file, "h5py"),
    _here("groupstream, by id", HIERARCHICAL, "by_id", files.version_files),
    _here(OURS, STREAMING, "stored", files.version_files),
    _here("groupstream, shuffled", STREAMING, "shuffled", files.version_files),
    Format(
        "Dataset Grouper",
        STREAMING,
        files.dataset_grouper_folder,
        _dataset_grouper,
        variable=DATASET_GROUPER_PYTHON,
    ),
    _here("Hugging Face, iterated", STREAMING, "hf_iterated", files.hugging_face_folder, "datasets"),
    _here("Hugging Face, sliced", STREAMING, "hf_sliced", files.hugging_face_folder, "datasets"),
    _peer("Flower Datasets", STREAMING, files.hugging_face_folder, FORMATS_PYTHON, "read_flower.py", "key"),
    _peer("Mosaic Streaming", STREAMING, _mosaic, FORMATS_PYTHON, "read_mosaic.py"),
)
