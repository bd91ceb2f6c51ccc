"""The room of runs is given back shard by shard, and what is not merged yet stays as it is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from groupstream.features import Feature
from groupstream.stores import LocalStore
from pipelines.discard import discard_shard, free_range
from pipelines.memory import MemoryBudget
from pipelines.merge import merge_shard
from pipelines.runs import RunWriter, Shape
from pipelines.staging import StagingArea

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="holes are made on Linux only")


def allocated(file: Path) -> int:
    os.sync()
    return file.stat().st_blocks * 512


def test_a_hole_takes_no_room_and_the_rest_is_untouched(tmp_path):
    file = tmp_path / "file"
    content = np.random.default_rng(0).bytes(1 << 20)
    file.write_bytes(content)
    before = allocated(file)
    free_range(file, 100_000, 800_000)
    found = file.read_bytes()
    assert allocated(file) < before - 700_000
    assert found[:100_000] == content[:100_000] and found[900_000:] == content[900_000:]
    assert not any(found[100_000:900_000])


def test_shards_may_be_merged_in_any_order_and_give_back_the_room_of_their_runs(tmp_path, make_batches, monkeypatch):
    monkeypatch.setattr("pipelines.run_file.BLOCK_SEGMENTS", 16)  # so that a shard has several blocks of each index
    features = {"text": Feature(dtype="string"), "number": Feature(dtype="int64")}
    budget = MemoryBudget(1, 1 << 20, 1 << 20)
    made = []
    for name, discards in (("kept", False), ("freed", True)):
        (tmp_path / name).mkdir()
        staging = StagingArea(LocalStore(tmp_path / name), tmp_path / name)
        writer = RunWriter(staging, Shape(features, frozenset(), ("train",), None, 0), 1 << 20)
        batches = make_batches(rows_a_piece=4000, num_groups=3000)
        runs = [run for batch in batches for run in writer.add(batch)] + writer.flush()
        before = sum(allocated(staging.folder / run.path) for run in runs)
        contents = {}
        for shard_index in (3, 0, 2, 1):
            shard = merge_shard(staging, runs, "train", shard_index, 4, budget)
            contents[shard_index] = staging.read(shard.path)
            if discards:
                discard_shard(staging, runs, "train", shard_index, 4)
        after = sum(allocated(staging.folder / run.path) for run in runs)
        made.append(contents)
        assert (after < before / 2) == discards
    assert made[0] == made[1]
