"""Versions that are pulled from every kind of remote store, over real HTTP that fails now and then."""

from __future__ import annotations

from pathlib import Path

import pytest

import groupstream
from groupstream import StoreError
from groupstream.cache import through_cache
from groupstream.dataset import Dataset
from groupstream.pulling.version import plan_pull
from groupstream.refs import Location
from groupstream.testing import ReadLog, WrappedStore
from groupstream.verify import verify

REMOTE = pytest.mark.parametrize("place", ["gcs", "s3", "http"], indirect=True)


@pytest.fixture
def location(place, two_splits: Path, cache: Path) -> Location:
    """wide@1.0.0 in that place."""
    folder = two_splits / "wide" / "1.0.0"
    for file in sorted(folder.iterdir()):
        place.write(f"wide/1.0.0/{file.name}", file.read_bytes())
    place.server.requests.clear()
    return Location(place.store(), "wide/1.0.0")


def shard_requests(place) -> int:
    return sum("tfrecord" in str(request) for request in place.server.requests)


@REMOTE
def test_a_version_is_pulled_from_elsewhere_and_then_read_here(place, location: Location) -> None:
    place.server.faults.cut(1)
    place.server.faults.refuse(1)
    pulled = groupstream.pull(f"{place.root}/wide/1.0.0")
    assert not len(place.server.faults)
    assert verify(pulled) == 360
    asked = shard_requests(place)
    cached = through_cache(location)
    assert cached is not location
    dataset = Dataset(cached, pulled.manifest)
    assert [g.id for g in dataset["train"]] == [g.id for g in pulled["train"]]
    assert dataset["train"].group("g3").table() == pulled["train"].group("g3").table()
    assert shard_requests(place) == asked


@REMOTE
def test_groups_are_pulled_from_elsewhere(place, location: Location) -> None:
    place.server.faults.cut(1)
    small = groupstream.pull(f"{place.root}/wide/1.0.0", group_ids=["g3", "g27"])
    assert verify(small) == 25
    everything = Dataset(location, plan_pull(location).manifest)
    assert small["train"].group("g3").table() == everything["train"].group("g3").table()


@REMOTE
def test_a_pull_from_a_server_that_went_away_goes_on(place, location: Location, tmp_path: Path) -> None:
    log = ReadLog(tmp_path / "log")

    def goes_away(path: str, offset: int, data: bytes) -> bytes:
        if len(log.reads()) >= 8 and not len(place.server.faults):  # two threads may pass eight together
            place.server.faults.refuse(200, status=403)
        return log.note(path, offset, data)

    planned = plan_pull(Location(WrappedStore(place.store(), goes_away), "wide/1.0.0"), to=tmp_path / "to")
    with pytest.raises(StoreError):
        planned.run(block_bytes=4096, connections=2)
    assert not (planned.folder / "manifest.json").exists()
    while len(place.server.faults):
        place.server.faults.take("GET")
    came = log.num_bytes()
    assert 0 < came < planned.size_bytes
    again = plan_pull(Location(WrappedStore(place.store(), log.note), "wide/1.0.0"), to=tmp_path / "to")
    again.run(block_bytes=4096)
    assert log.num_bytes() == planned.size_bytes
    assert verify(groupstream.open("wide", str(tmp_path / "to"))) == 360
