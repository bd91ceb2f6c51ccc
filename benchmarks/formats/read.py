"""Reads a format of this environment: `python -m benchmarks.formats.read FORMAT FOLDER NAME` prints JSON.

FOLDER holds what `files` made of the version NAME. Each reader opens its files and gives an iterator of groups, each an
iterable of its texts; `group_loop` reads them and says what it took.
"""

from __future__ import annotations

import itertools
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

import groupstream
from benchmarks.formats import files
from benchmarks.peers.group_loop import measure
from benchmarks.reader.cases import _hf, split_of

Texts = Iterable[str | bytes]
Id = TypeVar("Id")
Open = Callable[[Path, str], Iterator[Texts]]


def in_memory(folder: Path, name: str) -> Iterator[Texts]:
    """All groups in a dictionary of lists."""
    groups = dict(files.sorted_groups(files.sorted_file(folder, name)))
    return iter(groups.values())


def hdf5(folder: Path, name: str) -> Iterator[Texts]:
    """As TensorFlow Federated reads a client: each of its arrays whole. Groups in a random order."""
    import h5py

    examples = h5py.File(files.hdf5_file(folder, name), "r")["examples"]
    return (examples[group_id]["text"][()] for group_id in _shuffled(examples.keys()))


def stored(folder: Path, name: str) -> Iterator[Texts]:
    """Ours, in stored order."""
    return map(_texts, split_of(folder, name).select("text"))


def shuffled(folder: Path, name: str) -> Iterator[Texts]:
    """Ours, in another random order."""
    return map(_texts, split_of(folder, name).select("text").shuffle(7))


def by_id(folder: Path, name: str) -> Iterator[Texts]:
    """Ours, each group by its id, in a random order."""
    split = split_of(folder, name)
    ids = split.group_table(["group_id"])["group_id"].to_pylist()
    return map(_texts, split.groups(_shuffled(ids)))


def _texts(group: groupstream.Group) -> Texts:
    return itertools.chain.from_iterable(batch["text"].to_pylist() for batch in group.batches())


def hf_iterated(folder: Path, name: str) -> Iterator[Texts]:
    """Example by example; a group ends where another key begins."""
    dataset, _ = _opened_hf(folder, name)
    grouped = itertools.groupby(dataset, key=itemgetter("key"))
    return (map(itemgetter("text"), group) for _, group in grouped)


def hf_sliced(folder: Path, name: str) -> Iterator[Texts]:
    """A slice for each group, whose place is known."""
    dataset, bounds = _opened_hf(folder, name)
    texts = dataset.select_columns("text")
    return (texts[start:end]["text"] for start, end in bounds)


def _opened_hf(folder: Path, name: str) -> tuple[Any, list[tuple[int, int]]]:
    _hf.cache_clear()  # it would be open already when it is read once more
    return _hf(folder, name)


def _shuffled(ids: Iterable[Id]) -> list[Id]:
    drawn = list(ids)
    random.Random(0).shuffle(drawn)
    return drawn


READERS: dict[str, tuple[Open, str]] = {
    "in_memory": (in_memory, "pyarrow"),
    "hdf5": (hdf5, "h5py"),
    "stored": (stored, "groupstream"),
    "shuffled": (shuffled, "groupstream"),
    "by_id": (by_id, "groupstream"),
    "hf_iterated": (hf_iterated, "datasets"),
    "hf_sliced": (hf_sliced, "datasets"),
}


def main() -> None:
    """Imports what the reader needs, then opens and reads."""
    reader, folder, name = sys.argv[1:]
    open_groups, library = READERS[reader]
    __import__(library)
    measure(lambda: open_groups(Path(folder), name), library)


if __name__ == "__main__":
    main()
