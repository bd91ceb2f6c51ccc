"""Builds that fail anywhere: nothing half-written is seen, nothing stays, and running again makes the same bytes."""

from __future__ import annotations

import dataclasses
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from groupstream.commit import claim_version, commit_version
from groupstream.refs import published_versions
from groupstream.stores import LocalStore
from pipelines.partition import partition
from pipelines.plan import Plan, make_plan
from pipelines.staging import staging_area
from pipelines.versions import describe_version
from specs import Spec

sys.path.insert(0, str(Path(__file__).parent))
from faulty import Fault, FaultyStaging, with_fault

pytestmark = pytest.mark.integration

RULE = {"kind": "feature", "feature": "key"}
COUNTING = {"kind": "fixed_sizes", "num_groups": 30}

PLACES = [  # where, how often it is passed in this build
    (RULE, "source", 3),
    (RULE, "assign", 3),
    (RULE, "split", 3),
    (RULE, "write pieces/", 1),
    (RULE, "write runs/", 6),
    (RULE, "read runs/", 99),
    (RULE, "write outcome", 1),
    (RULE, "write shards/train-00001.tfrecord", 1),
    (RULE, "write shards/train-00001.groups", 1),
    (RULE, "write shards/train-00001.json", 1),
    (RULE, "write shards/", 20),
    (COUNTING, "source", 6),
    (COUNTING, "count", 3),
    (COUNTING, "write counts", 1),
    (COUNTING, "write rule", 1),
    (COUNTING, "read runs/", 143),
]
CASES = [
    (partitioner, Fault(where, at, how))
    for partitioner, where, times in PLACES
    for at in sorted({1, times})
    for how in ("raise", "full disk", "kill")
]


def _name(value: object) -> str:
    return f"{value.where} {value.at} {value.how}" if isinstance(value, Fault) else str(value["kind"])


def test_there_are_many_cases() -> None:
    assert len(CASES) >= 50


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    for file in range(3):
        lines = [f'{{"key": "k{(row * row + file) % 23}", "text": "{"word " * (row % 9)}"}}' for row in range(300)]
        (folder / f"part-{file}.jsonl").write_text("\n".join(lines))
    return folder


def plan_for(source: Path, partitioner: dict) -> Plan:
    fields = {
        "name": "test",
        "source": {"kind": "jsonl", "paths": [f"{source}/*.jsonl"]},
        "partitioner": partitioner,
        "splits": {"by": "example", "fractions": {"train": 0.8, "test": 0.2}},
        "publish": {"shard_bytes": 16_000},
    }
    plan = make_plan(Spec.model_validate(fields, extra="forbid"))
    return dataclasses.replace(plan, budget=dataclasses.replace(plan.budget, payload_bytes=1, chunk_bytes=2_000))


def build(plan: Plan, root: Path, fault: Fault | None) -> None:
    """Builds and publishes, maybe with a fault; the manifest says all of the bytes of every file."""
    with staging_area(root) as staging:
        if fault is not None:
            plan = with_fault(plan, fault)
            staging = FaultyStaging(staging.store, staging.scratch, fault)
        partitioned = partition(plan, staging)
        store = LocalStore(root)
        version = describe_version(plan, partitioned, [], "1.0.0", store)
        claim_version(store, "test/1.0.0", plan.digest, {})
        commit_version(store, "test/1.0.0", version.manifest, version.files)


def in_child(work: Callable[[], None]) -> tuple[int, str]:
    """Does it in a process of its own, forked before Beam has made threads; how that ended, and its error."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        status = 0
        try:
            work()
        except BaseException:
            os.write(write, traceback.format_exc().encode()[-60_000:])
            status = 1
        os._exit(status)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read().decode()
    return os.waitpid(pid, 0)[1], said


@pytest.mark.parametrize(("partitioner", "fault"), CASES, ids=_name)
def test_a_build_that_fails_leaves_nothing_and_the_next_makes_the_same_bytes(
    source: Path, tmp_path: Path, partitioner: dict, fault: Fault, expected: Callable[[dict], bytes]
) -> None:
    plan = plan_for(source, partitioner)
    status, said = in_child(lambda: build(plan, tmp_path, fault))
    assert status != 0, "the fault was never reached"
    if fault.how == "kill":
        assert os.WIFSIGNALED(status)
    elif fault.how == "raise":
        assert "injected" in said
    else:
        assert "No space left on device" in said
    assert not published_versions(LocalStore(tmp_path), "test")
    status, said = in_child(lambda: build(plan, tmp_path, None))
    assert status == 0, said
    assert (tmp_path / "test" / "1.0.0" / "manifest.json").read_bytes() == expected(partitioner)
    assert not list((tmp_path / ".staging").iterdir())


@pytest.fixture(scope="module")
def expected(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict], bytes]:
    """The manifest of a build that does not fail."""
    made: dict[str, bytes] = {}

    def manifest(partitioner: dict) -> bytes:
        if partitioner["kind"] not in made:
            root = tmp_path_factory.mktemp("expected")
            status, said = in_child(lambda: build(plan_for(source, partitioner), root, None))
            assert status == 0, said
            made[partitioner["kind"]] = (root / "test" / "1.0.0" / "manifest.json").read_bytes()
        return made[partitioner["kind"]]

    return manifest
