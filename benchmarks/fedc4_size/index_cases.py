"""The group table: joined by a build, looked up in, streamed in three orders. No example is read."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import psutil

import groupstream
from benchmarks.fedc4_size.found import Found
from benchmarks.fedc4_size.ids import group_ids
from benchmarks.fedc4_size.joining import describe_split, joined_parts
from benchmarks.fedc4_size.names import version_folder
from benchmarks.pipeline.memory import folder_bytes
from groupstream import Split
from groupstream.cache import CACHE_VARIABLE
from groupstream.cohorts import Sampling
from groupstream.group_table import write_group_table
from groupstream.stream import GroupStream

_LOOK_UPS = 1_000
_COHORT_SIZE = 100


def join_the_index(folder: Path) -> Found:
    """What the machine that starts a build does with the tables that the workers left."""
    found, joined = Found(), folder / "joined.parquet"
    with found.timed("join the index"):
        write_group_table(joined, joined_parts(folder / "parts"))
    with found.timed("describe the index"):
        split = describe_split(joined, ())
    found.bytes["index on disk"] = split.group_table.size_bytes
    joined.unlink()
    return found


def first_look_up(folder: Path) -> Found:
    """A machine that never saw the version: its index is checked, and copied to the cache."""
    found = Found()
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        os.environ[CACHE_VARIABLE] = cache
        with found.timed("look up, first on a machine"):
            _train(folder).group(_some_ids(1)[0])
        found.bytes["index in the cache"] = folder_bytes(Path(cache))
    return found


def look_up(folder: Path) -> Found:
    """A process that opens the version, on a machine that has the index in its cache."""
    found = _with_cache(folder)
    first, *others = _some_ids(_LOOK_UPS + 1, _train(folder).num_groups)
    with found.timed("look up, opened fresh"):
        train = _train(folder)
        train.group(first)
    with found.timed("look up, each next one", _LOOK_UPS):
        for group_id in others:
            train.group(group_id)
    return _with_own_memory(found, "look-ups")


def stored_order(folder: Path) -> Found:
    """All groups in stored order, until the first one could be read."""
    return _first_group(folder, "stored order", _train(folder).stream())


def shuffled(folder: Path) -> Found:
    """Shuffled, until the first group could be read."""
    return _first_group(folder, "shuffled", _train(folder).shuffle(7))


def filtered_and_shuffled(folder: Path) -> Found:
    """Of groups of some size only, which must be found."""
    return _first_group(folder, "filtered and shuffled", _train(folder).filter(min_examples=3).shuffle(7))


def uniform_cohorts(folder: Path) -> Found:
    """The groups of a round, all equally likely."""
    return _cohort(folder, "uniform")


def cohorts_by_size(folder: Path) -> Found:
    """The groups of a round, by their sizes, which must be added up."""
    return _cohort(folder, "by_size")


def _first_group(folder: Path, name: str, stream: GroupStream) -> Found:
    found = _with_cache(folder)
    with found.timed(f"{name}, to the first group"):
        chunks = stream.chunks(decode=False)
        next(next(chunks).groups())
    state = iter(stream)
    with found.timed(f"{name}, its state", _LOOK_UPS):
        for _ in range(_LOOK_UPS):
            state.state_dict()
    return _with_own_memory(found, name)


def _cohort(folder: Path, sampling: Sampling) -> Found:
    found = _with_cache(folder)
    with found.timed(f"cohorts {sampling}, to the first"):
        cohorts = _train(folder).cohorts(_COHORT_SIZE, seed=7, sampling=sampling)
        _ = cohorts[0].rows
    with found.timed(f"cohorts {sampling}, each next one", 10):
        for number in range(400, 410):
            _ = cohorts[number].rows
    return _with_own_memory(found, f"cohorts {sampling}")


def _train(folder: Path) -> Split:
    return groupstream.open(version_folder(folder))["train"]


def _some_ids(count: int, num_groups: int = 1) -> list[bytes]:
    return group_ids(np.random.default_rng(1).integers(0, num_groups, count)).to_pylist()


def _with_cache(folder: Path) -> Found:
    os.environ[CACHE_VARIABLE] = str(folder / "cache")
    return Found()


def _with_own_memory(found: Found, name: str) -> Found:
    """What is held without the files that are mapped, which the system drops when it needs the room."""
    memory = psutil.Process().memory_info()
    found.bytes[f"{name}, own memory"] = memory.rss - memory.shared
    return found
