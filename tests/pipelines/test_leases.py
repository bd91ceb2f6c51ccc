"""Folders of builds in a bucket: who owns them, who takes them over, who removes them."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from groupstream import PublishError, StoreError
from groupstream.stores import Store, open_store
from groupstream.testing import GcsServer
from pipelines.partition import partition
from pipelines.plan import Plan, make_plan
from pipelines.resuming import FinishedStages
from pipelines.staging import StagingArea, staging_area
from pipelines.staging_leases import Patience, lease_folder, sweep_leases
from specs import Spec

ROOT = "gs://bucket/datasets"
DIGEST = "1" * 64
QUICK = Patience(renewal_seconds=0.2, stale_seconds=3.0)


def moment(later: timedelta) -> str:
    return f"{datetime.now(UTC) + later:%Y-%m-%dT%H:%M:%S.%fZ}"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsServer]:
    with GcsServer("bucket") as server:
        server.buckets.clock = lambda: moment(timedelta(0))
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        yield server


@pytest.fixture
def store(bucket: GcsServer) -> Store:
    return open_store(ROOT)


HOLD = """
import sys, time
from groupstream.stores import open_store
from pipelines.resuming import FinishedStages
from pipelines.staging_leases import Patience, lease_folder
held = lease_folder(open_store(sys.argv[1]), sys.argv[2], Patience(0.2, 3.0))
held.staging.write("counts.pickle", b"counted")
if sys.argv[3] == "finish":
    FinishedStages(held.staging, sys.argv[2]).finish("Count", ["counts.pickle"])
print(held.lease.name, flush=True)
time.sleep(600)
"""


@pytest.fixture
def start(bucket: GcsServer) -> Iterator[Callable[..., tuple[subprocess.Popen[str], str]]]:
    """Starts a build that holds a folder; its process, and the name of the folder."""
    started: list[subprocess.Popen[str]] = []

    def hold(what: str = "finish", digest: str = DIGEST) -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-c", HOLD, ROOT, digest, what]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return started[-1], started[-1].stdout.readline().strip()

    yield hold
    for process in started:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.communicate()


def folders(store: Store) -> list[str]:
    return store.folders(".staging")


def test_a_build_that_lives_keeps_its_folder_also_when_it_takes_long(store, start):
    _, name = start()
    time.sleep(2 * QUICK.stale_seconds)
    other = lease_folder(store, DIGEST, QUICK)
    assert other.lease.name != name and sweep_leases(store, 0.0, patience=QUICK) == []
    other.remove()
    assert folders(store) == [name]


def test_the_folder_of_a_killed_build_is_taken_over(store, start):
    killed, name = start()
    killed.kill()
    with_digest = lease_folder(store, DIGEST, QUICK)  # which waits until it is plain that nobody lives there
    assert with_digest.lease.name == name and folders(store) == [name]
    assert FinishedStages(with_digest.staging, DIGEST).take_up("Count")
    with_digest.remove()
    assert folders(store) == [] and list(store.objects(".staging")) == []


def test_one_of_two_gets_the_folder_of_a_killed_build(store, start):
    killed, name = start()
    killed.kill()
    first = lease_folder(store, DIGEST, QUICK)
    second = lease_folder(store, DIGEST, QUICK)
    assert first.lease.name == name != second.lease.name
    second.remove()
    first.remove()


def test_a_build_that_slept_removes_nothing_of_who_took_its_folder_over(store):
    asleep = Patience(renewal_seconds=600.0, stale_seconds=3.0)  # its thread never comes to it
    slept = lease_folder(store, DIGEST, asleep)
    slept.staging.write("counts.pickle", b"counted")
    FinishedStages(slept.staging, DIGEST).finish("Count", ["counts.pickle"])
    other = lease_folder(store, DIGEST, Patience(renewal_seconds=2.0, stale_seconds=3.0))
    assert other.lease.name == slept.lease.name
    slept.remove()
    assert FinishedStages(other.staging, DIGEST).take_up("Count") and other.lease.is_mine()
    slept.lease.let_go()
    assert other.lease.is_mine()
    other.remove()
    assert folders(store) == []


def _sleep_and_fail(staging: StagingArea, take_over: Callable[[], object]) -> None:
    staging.write("counts.pickle", b"counted")
    FinishedStages(staging, DIGEST).finish("Count", ["counts.pickle"])
    take_over()
    staging.remove("runs")
    raise StoreError("of the build that slept")


def test_a_build_that_slept_and_fails_leaves_what_its_successor_writes(store, caplog):
    taken = []

    def take_over() -> None:  # long before the other renews its lease, every 20 seconds
        other = lease_folder(store, DIGEST, Patience(renewal_seconds=2.0, stale_seconds=3.0))
        other.staging.write("runs/a", b"of the successor")
        taken.append(other)

    with pytest.raises(StoreError, match="of the build that slept"), staging_area(ROOT, DIGEST) as staging:
        _sleep_and_fail(staging, take_over)
    (other,) = taken
    assert other.staging.store.root == staging.store.root and other.staging.read("runs/a") == b"of the successor"
    assert "another build has taken" in caplog.text
    other.remove()
    assert folders(store) == []


def test_a_build_that_slept_leaves_the_record_of_its_successor(store):
    slept = lease_folder(store, DIGEST, Patience(renewal_seconds=600.0, stale_seconds=3.0))
    slept.staging.write("counts.pickle", b"counted")
    FinishedStages(slept.staging, DIGEST).finish("Count", ["counts.pickle"])
    other = lease_folder(store, DIGEST, Patience(renewal_seconds=2.0, stale_seconds=3.0))
    assert not FinishedStages(slept.staging, "2" * 64).take_up("Count")
    assert FinishedStages(other.staging, DIGEST).take_up("Count")
    slept.let_go()
    other.remove()


@pytest.fixture
def num_renewed() -> Callable[[], int]:
    """How many leases of this test are being renewed."""
    before = set(threading.enumerate())
    return lambda: sum(thread.name == "groupstream-lease" for thread in set(threading.enumerate()) - before)


def _end_with(staging: StagingArea, bucket: GcsServer, method: str, path: str, error: BaseException) -> None:
    staging.write("counts.pickle", b"counted")
    FinishedStages(staging, DIGEST).finish("Count", ["counts.pickle"])
    staging.write("runs/a", b"of the build")
    bucket.faults.refuse(times=9, status=403, method=method, path=path)
    raise error


@pytest.mark.parametrize(("method", "path"), [("GET", "prefix=[^&]*finished"), ("GET", "lease.json"), ("DELETE", "")])
def test_a_bucket_that_is_away_does_not_hide_why_the_build_ended(bucket, num_renewed, caplog, method, path):
    with pytest.raises(SystemExit) as ended, staging_area(ROOT, DIGEST) as staging:
        _end_with(staging, bucket, method, path, SystemExit(143))
    assert ended.value.code == 143 and num_renewed() == 0
    assert "permission denied" in caplog.text
    bucket.faults.calm()
    assert FinishedStages(staging, DIGEST).take_up("Count")


def test_a_folder_that_was_taken_over_is_let_go_where_this_machine_has_no_room(
    store, num_renewed, tmp_path, monkeypatch
):
    left = lease_folder(store, DIGEST, QUICK)
    left.staging.write("counts.pickle", b"counted")
    FinishedStages(left.staging, DIGEST).finish("Count", ["counts.pickle"])
    left.let_go()
    (tmp_path / "file").touch()
    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "tempdir", str(tmp_path / "file"))
        with pytest.raises(NotADirectoryError):
            lease_folder(store, DIGEST, QUICK)
    assert num_renewed() == 0 and folders(store) == [left.lease.name]
    assert not left.lease.is_mine()
    lease_folder(store, DIGEST, QUICK).remove()
    assert folders(store) == []


def test_a_build_that_was_paused_does_not_take_its_folder_back(store, start):
    paused, _ = start()
    paused.send_signal(signal.SIGSTOP)
    taken = lease_folder(store, DIGEST, QUICK)
    paused.send_signal(signal.SIGCONT)
    assert FinishedStages(taken.staging, DIGEST).take_up("Count")
    time.sleep(5 * QUICK.renewal_seconds)
    assert taken.lease.is_mine()
    taken.remove()


def test_the_folder_of_a_killed_build_that_finished_nothing_is_swept(store, start):
    killed, name = start("begin")
    killed.kill()
    time.sleep(QUICK.stale_seconds + 2)
    assert sweep_leases(store, patience=QUICK) == [f".staging/{name}"]
    assert list(store.objects(".staging")) == []


def test_what_is_finished_is_kept_until_it_is_told_otherwise(store, start):
    killed, name = start()
    killed.kill()
    time.sleep(QUICK.stale_seconds + 2)
    assert sweep_leases(store, patience=QUICK) == [] and folders(store) == [name]
    assert sweep_leases(store, 0.0, digest="2" * 64, patience=QUICK) == []
    assert sweep_leases(store, 0.0, digest=DIGEST, patience=QUICK) == [f".staging/{name}"]
    assert list(store.objects(".staging")) == []


def test_the_next_build_sweeps(store, start):
    killed, _ = start("begin", digest="2" * 64)
    killed.kill()
    time.sleep(QUICK.stale_seconds + 2)
    held = lease_folder(store, DIGEST, QUICK)
    assert folders(store) == [held.lease.name]
    held.remove()


def test_a_folder_without_a_lease_goes_after_a_day(bucket, store):
    store.put_if_absent(".staging/build-abc/runs/a", b"of a job that nobody waits for")
    assert sweep_leases(store, 0.0, patience=QUICK) == []
    bucket.buckets.clock = lambda: moment(timedelta(hours=25))
    assert sweep_leases(store, 0.0, patience=QUICK) == [".staging/build-abc"]
    assert list(store.objects(".staging")) == []


def _end_badly(plan, error: BaseException) -> None:
    with staging_area(ROOT, plan.digest) as staging:
        partition(plan, staging)
        staging.write("runs/left", b"left")
        raise error


def plan_for(jsonl_source: Path) -> Plan:
    fields = {
        "name": "test",
        "source": {"kind": "jsonl", "paths": [f"{jsonl_source}/*.jsonl"]},
        "partitioner": {"kind": "feature", "feature": "key"},
        "checks": {"examples": {"text": {"max_length": 150}}, "max_rejected": 800},
        "publish": {"shard_bytes": 8_000},
    }
    return make_plan(Spec.model_validate(fields, extra="forbid"))


@pytest.mark.parametrize("left", ["shards/train-00000.json", "runs/a"])
def test_a_build_does_not_begin_where_what_is_left_of_another_cannot_be_removed(bucket, jsonl_source, caplog, left):
    plan = plan_for(jsonl_source)
    with staging_area(ROOT, plan.digest) as staging:
        staging.write(left, b"of other code")
        bucket.faults.refuse(times=1, status=403, method="DELETE")
        with pytest.raises(PublishError, match=f"cannot remove .*/{left}: permission denied"):
            partition(plan, staging)
        assert [found.path for found in staging.store.objects("")] == ["lease.json", left]


def test_a_build_that_slept_does_not_begin_in_the_folder_of_its_successor(store, jsonl_source):
    plan = plan_for(jsonl_source)
    with staging_area(ROOT, plan.digest) as staging:
        staging.write("counts.pickle", b"counted")
        FinishedStages(staging, plan.digest).finish("Count", ["counts.pickle"])
        other = lease_folder(store, plan.digest, Patience(renewal_seconds=2.0, stale_seconds=3.0))
        other.staging.write("runs/a", b"of the successor")
        with pytest.raises(PublishError, match=r"another build has taken .* over"):
            partition(plan, staging)
        assert other.staging.read("runs/a") == b"of the successor"
    other.remove()


def test_a_build_in_a_bucket_is_taken_up(store, jsonl_source, caplog):
    plan = plan_for(jsonl_source)
    with staging_area(ROOT) as staging:
        made = partition(plan, staging)
        expected = made.counts, made.tally, made.quarantine.read_bytes(), made.splits["train"].shards
        tables = made.splits["train"].group_table.read_bytes()
    with pytest.raises(PublishError, match="of the build"):
        _end_badly(plan, PublishError("of the build"))
    (left,) = folders(store)
    assert not list(store.objects(f".staging/{left}/runs"))
    caplog.set_level("INFO", "groupstream")
    with staging_area(ROOT, plan.digest) as staging:
        made = partition(plan, staging)
        assert made.resumed and staging.store.root.endswith(left)
        assert (made.counts, made.tally, made.quarantine.read_bytes(), made.splits["train"].shards) == expected
        assert made.splits["train"].group_table.read_bytes() == tables
    assert "Partition: taken up from an earlier build: " in caplog.text
    assert list(store.objects(".staging")) == []
