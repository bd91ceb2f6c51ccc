"""What a run of a build shows in Prefect: progress, log, artifacts, and the event of a published version."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import groupstream
from specs import Spec
from tests.prefect_api import post
from tests.waiting import LONG

pytestmark = pytest.mark.integration

PUBLISHED = "prefect.asset.materialization.succeeded"

LEAVES_PROGRESS = """
import time
from prefect import flow
from tasks.progress_artifacts import progress_artifacts
from tasks.reporting import step_listener
from tasks.steps import Step

@flow
def dies():
    with progress_artifacts("left_over"):
        step_listener.get()(Step("read", 3, 5, 2_000_000, 1000))
        time.sleep(600)

dies()
"""


def build(fields: dict, **changes):
    from flows.build_dataset import build_dataset

    return build_dataset(Spec.model_validate({**fields, **changes}))


def ask(server: str, path: str, body: dict) -> list[dict]:
    return post(server, f"{path}/filter", body)


def poll(look: Callable[[], Any], until: Callable[[Any], bool], seconds: float = LONG) -> Any:
    """What `look` gives, once it is as it should be; else what it gave last."""
    deadline = time.monotonic() + seconds
    while not until(found := look()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return found


def runs_of(server: str, name: str) -> list[dict]:
    """The runs of a build, oldest first."""
    return ask(server, "flow_runs", {"flow_runs": {"name": {"any_": [name]}}, "sort": "START_TIME_ASC"})


def artifacts_of(server: str, run_id: str) -> dict[str, dict]:
    found = ask(server, "artifacts", {"artifacts": {"flow_run_id": {"any_": [run_id]}}})
    return {artifact["key"]: artifact for artifact in found if artifact["key"]}


def log_of(server: str, run_id: str) -> list[tuple[str, int, str]]:
    found = ask(server, "logs", {"logs": {"flow_run_id": {"any_": [run_id]}}, "sort": "TIMESTAMP_ASC", "limit": 200})
    return [(line["name"], line["level"], line["message"]) for line in found]


def published(server: str, name: str) -> list[dict]:
    """The events that say that there is a version of a dataset, oldest first."""
    body = {"filter": {"event": {"name": [PUBLISHED]}}, "limit": 50}
    events = post(server, "events/filter", body)["events"]
    return [event for event in reversed(events) if event["payload"].get("name") == name]


def test_a_published_run_shows_progress_card_checks_sizes_and_links(with_server, spec_fields, root):
    result = build(spec_fields, name="told", description="A story.")
    (run,) = runs_of(with_server, "build told")
    found = artifacts_of(with_server, run["id"])
    progress = {key: found.pop(key) for key in list(found) if found[key]["type"] == "progress"}
    assert set(found) == {"told", "told-checks", "told-sizes", "told-version"}
    assert set(progress) >= {"told-merge", "told-publish"}, "reading may be over before anybody looks"
    assert all(one["data"] == 100 and one["description"].startswith("Done. ") for one in progress.values())
    num_shards = len(result.manifest.splits["train"].shards)
    assert f"Merged {num_shards} of {num_shards} shards" in progress["told-merge"]["description"]
    card = found["told"]["data"]
    assert card.startswith("# told") and "A story." in card and 'groupstream.open("told@1.0.0")' in card
    assert found["told-sizes"]["data"].startswith("data:image/svg+xml;base64,")
    assert result.location in found["told-version"]["data"] and "report/card.html" in found["told-version"]["data"]


def test_tasks_have_names_that_people_understand(with_server, spec_fields):
    build(spec_fields, name="named")
    (run,) = runs_of(with_server, "build named")
    tasks = ask(with_server, "task_runs", {"flow_runs": {"id": {"any_": [run["id"]]}}})
    names = {task["name"] for task in tasks}
    assert names >= {"locate the source", "partition the examples into groups", "register named@1.0.0"}
    assert all(" " in name for name in names), names


def test_the_log_of_a_run_has_our_lines(with_server, spec_fields):
    build(spec_fields, name="logged")
    (run,) = runs_of(with_server, "build logged")

    def has_ended(lines: list[tuple[str, int, str]]) -> bool:
        return any("is published" in message for _, _, message in lines)

    lines = poll(lambda: log_of(with_server, run["id"]), has_ended)
    ours = [line for line in lines if line[0] == "groupstream"]
    assert ("groupstream", logging.INFO, "Partition ...") in ours, "\n".join(map(str, ours or lines))
    assert any(message.startswith("logged@1.0.0 is published. It lies in ") for _, _, message in lines)


def test_the_log_of_a_run_has_what_libraries_warn_of_in_any_thread_and_no_secret(with_server, monkeypatch):
    from prefect import flow

    from tasks.run_log import run_log

    monkeypatch.setenv("SOME_API_KEY", "abcdefghijkl")

    def speak() -> None:
        logging.getLogger("some.library").warning("no answer from postgresql://me:pass-word@host/db?sig=abcd")
        logging.getLogger("some.library").info("of no use")
        logging.getLogger("groupstream").info("ours, with key %s", "abcdefghijkl")

    @flow(name="speaks")
    def speaks() -> None:
        with run_log():
            thread = threading.Thread(target=speak)
            thread.start()
            thread.join()
        raise OSError("Bearer 0123456789abcdef0123 was refused")

    with pytest.raises(OSError, match="was refused"):
        speaks()
    speak()  # after the run: not of it
    (run,) = ask(with_server, "flow_runs", {"flows": {"name": {"any_": ["speaks"]}}})
    lines = poll(lambda: log_of(with_server, run["id"]), lambda lines: len(lines) >= 4)
    text = "\n".join(message for _, _, message in lines)
    others = [line for line in lines if not line[0].startswith("prefect")]
    assert others == [
        ("some.library", logging.WARNING, "no answer from postgresql://me:***@host/db?sig=***"),
        ("groupstream", logging.INFO, "ours, with key ***"),
    ]
    assert "Bearer ***" in text and "0123456789abcdef" not in text


def test_an_event_says_that_a_version_is_published_and_which(with_server, spec_fields, root):
    first = build(spec_fields, name="announced")
    assert not build(spec_fields, name="announced").built
    with pytest.raises(groupstream.CheckError):
        build(spec_fields, name="announced", checks={"groups": {"min_groups": 13}})
    second = build(spec_fields, name="announced", seed=5)
    events = poll(lambda: published(with_server, "announced"), lambda events: len(events) >= 2)
    assert [event["payload"]["version"] for event in events] == ["1.0.0", "1.0.1"]
    assert events[0]["resource"]["prefect.resource.id"] == f"file://{root}/announced"
    assert events[0]["resource"]["prefect.resource.name"] == "announced"
    payload = events[1]["payload"]
    assert payload["root"] == str(root) and payload["ref"] == second.manifest.ref
    assert payload["location"] == second.location and payload["digest"] == second.manifest.digest
    assert (payload["num_groups"], payload["num_examples"], payload["splits"]) == (12, 60, ["train"])
    made_by = {"prefect.resource.id": "groupstream", "prefect.resource.role": "asset-materialized-by"}
    assert made_by in events[0]["related"] and first.built
    unchanged = artifacts_of(with_server, runs_of(with_server, "build announced")[1]["id"])
    assert "announced@1.0.0 was there already" in unchanged["announced"]["description"]
    assert "Nothing was built" in unchanged["announced"]["data"] and "announced-sizes" not in unchanged


def test_a_second_try_to_register_loses_no_event_and_makes_no_second_one(with_server, spec_fields, root):
    from prefect import flow

    from tasks.register import register

    result = build(spec_fields, name="tried", publish={**spec_fields["publish"], "root": str(root / "first")})
    poll(lambda: published(with_server, "tried"), lambda events: len(events) == 1)

    class FailsOnce:
        """A run whose registry is away at first."""

        def __init__(self, root: str) -> None:
            self.root = root
            self.num_tries = 0

        def published(self, manifest) -> None:
            self.num_tries += 1
            if self.num_tries == 1:
                raise OSError("the registry does not answer")

    run = FailsOnce(str(root / "second"))
    flow(name="tries")(lambda: register(run, result.manifest))()
    events = poll(lambda: published(with_server, "tried"), lambda events: len(events) == 2)
    assert run.num_tries == 2
    assert [event["payload"]["root"] for event in events] == [str(root / "first"), str(root / "second")]


def test_a_version_that_nobody_was_told_of_has_its_event_from_the_build_that_finds_it(
    with_server, killed_at, spec_fields
):
    fields = {**spec_fields, "name": "untold"}
    killed_at(fields, "Register", "START")
    assert published(with_server, "untold") == []
    assert not build(fields).built and not build(fields).built
    build(fields, seed=5)
    events = poll(lambda: published(with_server, "untold"), lambda events: len(events) >= 2)
    assert [event["payload"]["version"] for event in events] == ["1.0.0", "1.0.1"]


def test_progress_moves_and_says_where_it_stopped(with_server):
    from prefect import flow

    from tasks.progress_artifacts import progress_artifacts
    from tasks.reporting import step_listener
    from tasks.steps import Step

    seen: list[float] = []

    @flow(name="stops")
    def stops() -> None:
        def look() -> list[dict]:
            return ask(with_server, "artifacts", {"artifacts": {"key": {"any_": ["stopping-read"]}}})

        with progress_artifacts("stopping"):
            for done in (1, 3):
                step_listener.get()(Step("read", done, 4, 1000 * done, 10 * done))
                found = poll(look, lambda found, done=done: bool(found) and found[0]["data"] == 25 * done)
                seen.append(found[0]["data"])
                assert f"Read {done} of 4 pieces: {10 * done} examples" in found[0]["description"]
            step_listener.get()(Step("read", 4, 4, 4000, 40))
            (one,) = poll(look, lambda found: found[0]["description"].startswith("Done. Read 4 of 4 pieces"))
            seen.append(one["data"])
            for done in (3, 2):  # its task began again
                step_listener.get()(Step("read", done, 4, 1000 * done, 10 * done))
            raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        stops()
    assert seen == [25, 75, 100]
    (found,) = ask(with_server, "artifacts", {"artifacts": {"key": {"any_": ["stopping-read"]}}})
    assert found["data"] == 50 and found["description"].startswith("Stopped before its end. Read 2 of 4 pieces")


def test_progress_that_a_dead_run_left_is_said_to_have_stopped(tmp_path, with_server, process_environment):
    from prefect import flow

    from tasks.progress_artifacts import progress_artifacts
    from tasks.reporting import step_listener
    from tasks.steps import Step

    def look() -> list[dict]:
        return ask(with_server, "artifacts", {"artifacts": {"key": {"any_": ["left-over-read"]}}})

    with open(tmp_path / "dies.log", "wb") as log:
        dying = subprocess.Popen(
            [sys.executable, "-c", LEAVES_PROGRESS], env=process_environment, stdout=log, stderr=log
        )
    (left,) = poll(look, bool)
    os.kill(dying.pid, signal.SIGKILL)
    dying.wait()

    @flow(name="lives")
    def lives() -> None:
        with progress_artifacts("left_over"):
            step_listener.get()(Step("read", 5, 5, 1, 1))

    def description() -> str:
        return next(one["description"] for one in look() if one["id"] == left["id"])

    lives()
    assert description().startswith("Read 3 of 5"), "that run may still be at it: nobody has said that it ended"
    crashed = {"state": {"type": "CRASHED", "name": "Crashed"}, "force": True}
    post(with_server, f"flow_runs/{left['flow_run_id']}/set_state", crashed)
    lives()
    assert description().startswith("Stopped: the process that did it ended. Read 3 of 5")


def test_a_build_does_not_wait_for_a_server_that_does_not_answer(with_server):
    import socket

    from prefect import flow
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from tasks.progress_artifacts import ProgressArtifacts
    from tasks.steps import Step

    with socket.create_server(("127.0.0.1", 0)) as silent:

        @flow(name="unheard")
        def unheard() -> str:
            with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{silent.getsockname()[1]}/api"}):
                shown = ProgressArtifacts("unheard", seconds_for_the_last=0.1)
                for done in range(1000):
                    shown.listen(Step("read", done, 1000, done))
                shown.stop("")
            return "done"

        assert unheard() == "done"
