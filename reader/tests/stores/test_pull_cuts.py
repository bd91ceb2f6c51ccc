"""Pulls whose connections are cut again and again: complete, every byte right, and hardly a byte fetched twice.

The same with 5 GB: `python -m benchmarks.pull.cuts`.
"""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import pytest

import groupstream
from groupstream.features import Feature
from groupstream.pulling.version import plan_pull
from groupstream.refs import Location
from groupstream.stores import Store, open_store
from groupstream.stores.http import HttpStore
from groupstream.stores.s3 import S3Store
from groupstream.verify import verify

NUM_CUTS = 10
# Google's client lets go of some failed answers unread.
pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")]
REMOTE = pytest.mark.parametrize("place", ["gcs", "s3", "http"], indirect=True)


@pytest.fixture
def store(place, make_version, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Where there is made@1.0.0, of 6 MB."""
    draw = random.Random(1)
    examples = [{"data": draw.randbytes(60_000)} for _ in range(100)]
    root = make_version(examples, [b"g%d" % (n % 20) for n in range(100)], {"data": Feature(dtype="bytes")})
    for path in sorted((root / "made" / "1.0.0").rglob("*")):
        place.write(str(path.relative_to(root)), path.read_bytes())
    sleep = time.sleep
    monkeypatch.setattr("time.sleep", lambda seconds: sleep(seconds / 50))
    opened = open_store(place.root)
    if isinstance(opened, HttpStore | S3Store):  # Google's client counts seconds
        return type(opened)(place.root, attempts=NUM_CUTS + 1)  # with so short waits all cuts may strike one request
    return opened


@REMOTE
def test_what_came_before_a_cut_is_not_fetched_again(place, store: Store, tmp_path: Path) -> None:
    planned = plan_pull(Location(store, "made/1.0.0"), to=tmp_path / "to")
    place.server.faults.cut(NUM_CUTS, path="tfrecord")
    before = place.server.body_bytes
    planned.run(block_bytes=1 << 20)
    assert not len(place.server.faults)
    assert place.server.body_bytes - before <= 1.1 * planned.size_bytes
    assert verify(groupstream.open("made", str(tmp_path / "to"))) == 100


@REMOTE
def test_a_pull_outlives_connections_that_are_reset(place, store: Store, tmp_path: Path) -> None:
    planned = plan_pull(Location(store, "made/1.0.0"), to=tmp_path / "to")
    place.server.faults.slow(times=40, seconds=1.0, path="tfrecord")  # so that something is on its way
    cuts: list[int] = []
    done = threading.Event()

    def cut() -> None:
        seen = place.server.body_bytes
        while len(cuts) < NUM_CUTS and not done.wait(0.01):
            if place.server.body_bytes - seen > 200_000:
                cuts.append(place.server.hang_up())
                seen = place.server.body_bytes

    cutter = threading.Thread(target=cut)
    cutter.start()
    planned.run(block_bytes=1 << 20, connections=4)
    done.set()
    cutter.join()
    assert len(cuts) == NUM_CUTS
    assert sum(cuts) >= NUM_CUTS
    assert verify(groupstream.open("made", str(tmp_path / "to"))) == 100
