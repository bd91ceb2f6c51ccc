"""Several processes open a new SQLite file at once and write to it at once."""

from __future__ import annotations

import importlib
import multiprocessing
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from groupstream.manifest import Manifest
from registry import Registry

NUM_PROCESSES, NUM_VERSIONS = 4, 10


def write_in_processes(url: str, manifests_of: list[list[Manifest]]) -> list[list[str]]:
    write = importlib.import_module("registry_writer").write
    spawn = multiprocessing.get_context("spawn")
    start, results = spawn.Barrier(NUM_PROCESSES), spawn.Queue()
    arguments = [(url, start, results, manifests, index) for index, manifests in enumerate(manifests_of)]
    processes = [spawn.Process(target=write, args=each) for each in arguments]
    for process in processes:
        process.start()
    outcomes = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    return outcomes


@pytest.mark.timeout(90)
def test_processes_lose_no_version_and_one_wins_each_contest(
    url: str, make_manifest: Callable[..., Manifest], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.syspath_prepend(Path(__file__).parent)  # spawned processes have the sys.path of this one
    own = [[make_manifest(f"{p}.{v}.0") for v in range(NUM_VERSIONS)] for p in range(NUM_PROCESSES)]
    contested = [
        [make_manifest(f"1.{v}.0", digest=f"{p}" * 64, name="contested") for v in range(NUM_VERSIONS)]
        for p in range(NUM_PROCESSES)
    ]
    outcomes = write_in_processes(url, [mine + ours for mine, ours in zip(own, contested, strict=True)])
    assert [outcome[:NUM_VERSIONS] for outcome in outcomes] == [["published"] * NUM_VERSIONS] * NUM_PROCESSES
    of_contested = [each for outcome in outcomes for each in outcome[NUM_VERSIONS:]]
    assert of_contested.count("published") == NUM_VERSIONS
    assert of_contested.count("refused") == (NUM_PROCESSES - 1) * NUM_VERSIONS

    with closing(Registry(url)) as registry:
        recorded = [(each.version, each.state) for each in registry.versions("fedwiki")]
        assert recorded == [(manifest.version, "published") for mine in own for manifest in mine]
        assert [run.state for run in registry.runs("fedwiki")] == ["published"] * len(recorded)
        winners = {(run.version, run.digest) for run in registry.runs("contested") if run.state == "published"}
        assert {(each.version, each.digest) for each in registry.versions("contested")} == winners
