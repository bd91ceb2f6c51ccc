"""Who pulled what: a small object in the store, or nothing, and never a word."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from http.client import FORBIDDEN, SERVICE_UNAVAILABLE
from pathlib import Path
from typing import Any

import pytest

import groupstream
from groupstream.actor import current_actor
from groupstream.layout import PULLS
from groupstream.stores import LocalStore

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

LISTED = pytest.mark.parametrize("place", ["local", "gcs", "s3"], indirect=True)
BUCKETS = pytest.mark.parametrize("place", ["gcs", "s3"], indirect=True)


@pytest.fixture
def source(place: Any, two_splits: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """wide@1.0.0 in that place, and records wanted."""
    monkeypatch.delenv("GROUPSTREAM_RECORD_PULLS", raising=False)
    monkeypatch.setenv("GROUPSTREAM_USER", "ann")
    for file in sorted((two_splits / "wide" / "1.0.0").iterdir()):
        place.write(f"wide/1.0.0/{file.name}", file.read_bytes())
    return place


def records(place: Any) -> list[dict[str, Any]]:
    """What was recorded, by path: names that begin with a dot are in no listing."""
    store = place.store() if place.folder is None else LocalStore(place.folder)
    paths = [each.path for each in store.objects(PULLS)]
    for path in paths:
        assert re.fullmatch(r"\.pulls/wide/1\.0\.0/[0-9a-f]{32}\.json", path)
    return [json.loads(store.read(path)) for path in paths]


def size(dataset: groupstream.Dataset, *splits: str) -> int:
    files = [f for s in splits for f in (dataset[s].info.group_table, *dataset[s].info.shards)]
    return sum(f.size_bytes for f in (*files, *dataset.manifest.files))


@LISTED
@pytest.mark.parametrize("ref", ["wide", "{root}/wide/1.0.0"])
def test_a_pull_is_recorded_with_what_came(source: Any, ref: str) -> None:
    pulled = groupstream.pull(ref.format(root=source.root), source.root, splits=["train"])
    [record] = records(source)
    assert abs(datetime.fromisoformat(record.pop("at")) - datetime.now(UTC)).total_seconds() < 60
    library = f"groupstream {groupstream.__version__}"
    assert record == {"by": "ann", "splits": ["train"], "bytes": size(pulled, "train"), "library": library}


@LISTED
def test_what_brought_nothing_is_no_pull(source: Any) -> None:
    groupstream.pull("wide", source.root, splits=["train"])
    groupstream.pull("wide", source.root, splits=["train"])
    groupstream.open("wide", source.root)
    assert len(records(source)) == 1
    groupstream.pull("wide", source.root)
    assert sorted(record["splits"] for record in records(source)) == [["test", "train"], ["train"]]


@LISTED
def test_of_some_groups_only_the_number_is_recorded(source: Any) -> None:
    groupstream.pull("wide", source.root, group_ids=["g3", "g7"], splits=["train"])
    [record] = records(source)
    assert (record["groups"], record["splits"]) == (2, ["train"])
    assert "g3" not in json.dumps(record)


@LISTED
@pytest.mark.parametrize("value", ["0", "false", " OFF "])
def test_who_wants_no_record_leaves_none(source: Any, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUPSTREAM_RECORD_PULLS", value)
    groupstream.pull("wide", source.root)
    assert records(source) == []


@BUCKETS
@pytest.mark.parametrize("status", [FORBIDDEN, SERVICE_UNAVAILABLE])
def test_a_write_that_is_refused_is_tried_once_and_not_mentioned(
    source: Any, status: int, recwarn: pytest.WarningsRecorder, capfd: pytest.CaptureFixture[str]
) -> None:
    source.server.faults.refuse(1_000, status=status, method="POST" if source.kind == "gcs" else "PUT")
    source.server.requests.clear()
    before = time.monotonic()
    pulled = groupstream.pull("wide", source.root)
    assert time.monotonic() - before < 20
    assert len(pulled["train"]) == 30
    tried = [r for r in source.server.requests if r.method in ("POST", "PUT")]
    assert len(tried) == 1
    assert (list(recwarn), *capfd.readouterr()) == ([], "", "")


@pytest.mark.parametrize("place", ["local"], indirect=True)
def test_a_folder_where_nothing_can_be_written_is_pulled_from_in_silence(
    source: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    Path(source.root, PULLS).write_bytes(b"a file where the folder would be")
    assert len(groupstream.pull("wide", source.root)["train"]) == 30
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("place", ["http"], indirect=True)
def test_a_web_server_is_not_asked(source: Any) -> None:
    groupstream.pull("wide@1.0.0", source.root)
    assert {request.method for request in source.server.requests} <= {"GET", "HEAD"}
    assert records(source) == []


def test_the_actor_is_named_or_whoever_runs_this(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUPSTREAM_USER", " training-service ")
    assert current_actor() == "training-service"
    monkeypatch.setenv("GROUPSTREAM_USER", "x" * 1_000)
    assert current_actor() == "x" * 200
    monkeypatch.setenv("GROUPSTREAM_USER", " ")
    monkeypatch.setenv("LOGNAME", "bob")
    assert re.fullmatch(r"bob@.+", current_actor())
