"""Builds that may fail, each in a process forked from this one, which has imported all and started nothing.

A program: it reads an order a line, and answers each with how the build ended, both as JSON.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import traceback
from pathlib import Path

from groupstream.commit import claim_version, commit_version
from groupstream.stores import LocalStore
from pipelines.checks import Checked
from pipelines.draft import draft_version
from pipelines.partition import partition
from pipelines.plan import Plan, make_plan
from pipelines.staging import staging_area
from pipelines.versions import describe_version
from specs import Spec

sys.path.insert(0, str(Path(__file__).parent))
from faulty import Fault, FaultyStaging, with_fault


def plan_for(source: str, partitioner: dict) -> Plan:
    """A plan that makes many small runs and shards."""
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
        draft = draft_version(plan, partitioned, store)
        version = describe_version(draft, Checked((), b""), "1.0.0", store)
        claim_version(store, "test/1.0.0", plan.digest, {})
        commit_version(store, "test/1.0.0", version.manifest, version.files)


def build_in_child(source: str, partitioner: dict, root: str, fault: dict | None) -> tuple[int, str]:
    """Builds in a forked process; how that ended, as `os.waitpid` says it, and its error."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        status = 0
        try:
            build(plan_for(source, partitioner), Path(root), Fault(**fault) if fault else None)
        except BaseException:
            os.write(write, traceback.format_exc().encode()[-60_000:])
            status = 1
        os._exit(status)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read().decode()
    return os.waitpid(pid, 0)[1], said


if __name__ == "__main__":
    answers = os.dup(1)
    os.dup2(2, 1)  # nothing that a build prints is an answer
    for line in sys.stdin:
        os.write(answers, json.dumps(build_in_child(**json.loads(line))).encode() + b"\n")
