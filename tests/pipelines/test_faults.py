"""Builds that fail anywhere: nothing half-written is seen, nothing stays, and running again makes the same bytes.

In each place the first and the last time, in one of three ways; GROUPSTREAM_TESTS=all tries each in all three.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from groupstream.refs import published_versions
from groupstream.stores import LocalStore
from tests.extent import ALL

sys.path.insert(0, str(Path(__file__).parent))
from faulty import Fault

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
WAYS = ("raise", "full disk", "kill")
TIMES = [(partitioner, where, at) for partitioner, where, times in PLACES for at in sorted({1, times})]
CASES = [
    (partitioner, Fault(where, at, how))
    for number, (partitioner, where, at) in enumerate(TIMES)
    for how in (WAYS if ALL else WAYS[number % 3 :][:1])
]


def _name(value: object) -> str:
    return f"{value.where} {value.at} {value.how}" if isinstance(value, Fault) else str(value["kind"])


def test_there_are_many_cases() -> None:
    assert len(CASES) >= (50 if ALL else 20)
    assert {fault.how for _, fault in CASES} == set(WAYS)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    for file in range(3):
        lines = [f'{{"key": "k{(row * row + file) % 23}", "text": "{"word " * (row % 9)}"}}' for row in range(300)]
        (folder / f"part-{file}.jsonl").write_text("\n".join(lines))
    return folder


Builder = Callable[[Path, dict, Fault | None], tuple[int, str]]


@pytest.fixture(scope="module")
def build(source: Path) -> Iterator[Builder]:
    """Builds in a process of its own: how that ended, as `os.waitpid` says it, and its error."""
    program = [sys.executable, str(Path(__file__).with_name("faulty_builds.py"))]
    log = source.parent / "faulty_builds.log"
    with (
        open(log, "wb") as errors,
        subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True) as builds,
    ):

        def order(root: Path, partitioner: dict, fault: Fault | None) -> tuple[int, str]:
            fields = {"source": str(source), "partitioner": partitioner, "root": str(root)}
            fields["fault"] = None if fault is None else dataclasses.asdict(fault)
            builds.stdin.write(json.dumps(fields) + "\n")
            builds.stdin.flush()
            answer = builds.stdout.readline()
            assert answer, log.read_text()
            return tuple(json.loads(answer))

        yield order
        builds.stdin.close()


@pytest.mark.parametrize(("partitioner", "fault"), CASES, ids=_name)
def test_a_build_that_fails_leaves_nothing_and_the_next_makes_the_same_bytes(
    tmp_path: Path, partitioner: dict, fault: Fault, build: Builder, expected: Callable[[dict], bytes]
) -> None:
    status, said = build(tmp_path, partitioner, fault)
    assert status != 0, "the fault was never reached"
    if fault.how == "kill":
        assert os.WIFSIGNALED(status)
    elif fault.how == "raise":
        assert "injected" in said
    else:
        assert "No space left on device" in said
    assert not published_versions(LocalStore(tmp_path), "test")
    status, said = build(tmp_path, partitioner, None)
    assert status == 0, said
    assert (tmp_path / "test" / "1.0.0" / "manifest.json").read_bytes() == expected(partitioner)
    assert not list((tmp_path / ".staging").iterdir())


@pytest.fixture(scope="module")
def expected(build: Builder, tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict], bytes]:
    """The manifest of a build that does not fail."""
    made: dict[str, bytes] = {}

    def manifest(partitioner: dict) -> bytes:
        if partitioner["kind"] not in made:
            root = tmp_path_factory.mktemp("expected")
            status, said = build(root, partitioner, None)
            assert status == 0, said
            made[partitioner["kind"]] = (root / "test" / "1.0.0" / "manifest.json").read_bytes()
        return made[partitioner["kind"]]

    return manifest
