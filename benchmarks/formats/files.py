"""The files of each format, made from our version of the same examples if they are not there.

All lie below FOLDER/peers/NAME. What breaks off leaves nothing that looks whole. Peers' files that take longer than
`WRITE_SECONDS` to write are given up, with a TimeoutError: HDF5 takes the longer for a group the more there are.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.peers.sorted_groups import sorted_groups
from benchmarks.reader.cases import split_of
from benchmarks.reader.prepare import prepare_dataset_grouper, prepare_hugging_face
from groupstream.exports import export

PEERS = Path(__file__).parents[1] / "peers"
WRITE_SECONDS = 1800.0
_TOO_LONG = f"> {WRITE_SECONDS:,.0f} s to write"


def version_files(folder: Path, name: str) -> Path:
    """Ours."""
    return folder / name


def sorted_file(folder: Path, name: str) -> Path:
    """Parquet, groups adjacent, with a column `group_id` and one of texts: what others are written from."""
    target = folder / "peers" / name / "sorted"
    if not target.exists():
        export(split_of(folder, name).select("text"), target, "parquet", num_files=1)
    [file] = target.glob("*.parquet")
    return file


def hdf5_file(folder: Path, name: str) -> Path:
    """As TensorFlow Federated's HDF5ClientData reads it: /examples/<client id>/<feature>, an array for each."""
    return _made(folder / "peers" / name / "groups.hdf5", lambda path: _write_hdf5(sorted_file(folder, name), path))


def _write_hdf5(source: Path, target: Path) -> None:
    import h5py

    deadline = time.monotonic() + WRITE_SECONDS
    with h5py.File(target, "w") as file:
        examples = file.create_group("examples")
        for group_id, texts in sorted_groups(source):
            if time.monotonic() > deadline:
                raise TimeoutError(_TOO_LONG)
            examples.create_group(group_id.decode()).create_dataset("text", data=texts, dtype=h5py.string_dtype())


def hugging_face_folder(folder: Path, name: str) -> Path:
    """What `save_to_disk` writes, with a column for the key of the group, by which it is sorted."""
    prepare_hugging_face(folder, name)
    return folder / "peers" / name / "hf"


def dataset_grouper_folder(folder: Path, name: str) -> Path:
    """Its shards, and beside them in `texts/` what makes its loader decode the texts alone, as all others do."""
    target = prepare_dataset_grouper(folder, name)
    described = json.loads((target / "features.json").read_text())
    features = described["featuresDict"]["features"]
    described["featuresDict"]["features"] = {"text": features["text"]}
    (target / "texts").mkdir(exist_ok=True)
    (target / "texts" / "features.json").write_text(json.dumps(described))
    return target


def fedjax_file(folder: Path, name: str, python: str) -> Path:
    """An SQLite file that FedJAX writes."""
    return _written_by_peer(folder, name, python, "write_fedjax.py", "fedjax.sqlite")


def mosaic_folder(folder: Path, name: str, python: str) -> Path:
    """MDS shards that Mosaic Streaming writes."""
    return _written_by_peer(folder, name, python, "write_mosaic.py", "mosaic")


def _written_by_peer(folder: Path, name: str, python: str, script: str, target: str) -> Path:
    def write(path: Path) -> None:
        command = [python, str(PEERS / script), str(sorted_file(folder, name)), str(path)]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=WRITE_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(_TOO_LONG) from error

    return _made(folder / "peers" / name / target, write)


def _made(target: Path, write: Callable[[Path], None]) -> Path:
    """The target, written under another name first."""
    if not target.exists():
        unfinished = target.with_name(f".{target.name}")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.unlink(missing_ok=True)
        write(unfinished)
        unfinished.rename(target)
    return target
