"""Builds of one dataset take turns, and a dead build's turn goes to the next."""

from __future__ import annotations

import contextvars
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Crashed, Running

from groupstream.stores import LocalStore
from tasks import slots
from tasks.slots import build_slot
from tasks.turns import Holder, Turns, turn_name

pytestmark = pytest.mark.integration

HOLD_AND_DIE = """
import os, signal, sys
from groupstream.stores import LocalStore
from tasks.slots import build_slot
with build_slot(LocalStore(sys.argv[1]), "dataset"):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def store(root, with_server) -> LocalStore:
    return LocalStore(root)


@pytest.fixture
def elsewhere(store):
    """Takes the turn as a build on another machine would."""

    def take(**different) -> tuple:
        turns = Turns(store.root, "dataset")
        holder = replace(Holder.this_process(), place="another machine", **different)
        turn = turns.take(holder)
        assert turn is not None
        return turns, turn, holder

    return take


@pytest.fixture
def running(store) -> str:
    """The id of a run that is under way, as far as the server knows."""
    with get_client(sync_client=True) as client:
        return str(client.create_flow_run(flow(lambda: None, name="nothing"), state=Running()).id)


@pytest.fixture
def quick(monkeypatch) -> None:
    """Waiting in seconds, not in minutes."""
    for name, seconds in {"_BEAT": 0.2, "_SILENT": 4.0, "_ENDED": 1.0, "_LOOK": 0.1}.items():
        monkeypatch.setattr(slots, f"{name}_SECONDS", seconds)


def test_builds_of_one_dataset_never_overlap(store, quick):
    inside: list[int] = []
    most: list[int] = []

    def build(number: int) -> None:
        with build_slot(store, "dataset"):
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.3)
            inside.remove(number)

    with ThreadPoolExecutor(6) as threads:
        builds = [threads.submit(contextvars.copy_context().run, build, number) for number in range(6)]
        for each in builds:
            each.result()
    assert most == [1] * 6
    assert Turns(store.root, "dataset").read() is None


def test_other_datasets_and_other_roots_do_not_wait(store, tmp_path):
    other = LocalStore(tmp_path / "another")
    with build_slot(store, "one"), build_slot(store, "two"), build_slot(other, "one"):
        assert Turns(store.root, "one").read() != Turns(store.root, "two").read() is not None


def test_turn_of_a_killed_process_is_over_at_once(store, process_environment, caplog):
    run = subprocess.run([sys.executable, "-c", HOLD_AND_DIE, store.root], env=process_environment, check=False)
    assert run.returncode == -signal.SIGKILL and Turns(store.root, "dataset").read() is not None
    with caplog.at_level(logging.INFO, "groupstream"), build_slot(store, "dataset"):
        pass
    assert "has ended" in caplog.text and "waiting" not in caplog.text


def test_process_number_that_is_used_again_is_another_process(store, caplog):
    mine = Holder.this_process()
    assert not mine.is_gone()
    assert replace(mine, started=mine.started - 60).is_gone()
    assert not replace(mine, started=mine.started - 60, place="another machine").is_gone(), "nobody can see that"


def test_build_that_is_alive_elsewhere_is_waited_for_and_one_that_is_silent_is_not(
    store, quick, elsewhere, running, caplog
):
    turns, turn, holder = elsewhere(run=running)
    alive = threading.Event()

    def beat() -> None:
        beating = holder
        while not alive.wait(0.5):
            beating = turns.beat(turn, beating)

    def build() -> float:
        with build_slot(store, "dataset"):
            return time.monotonic()

    with caplog.at_level(logging.INFO, "groupstream"), ThreadPoolExecutor(2) as threads:
        beating = threads.submit(contextvars.copy_context().run, beat)
        waiting = threads.submit(contextvars.copy_context().run, build)
        time.sleep(2.5 * slots._SILENT_SECONDS)
        assert not waiting.done(), "a build that is alive keeps its turn"
        alive.set()
        beating.result()
        waiting.result()
    assert caplog.text.count("waiting for the build of dataset that is under way") == 1, "said once, not at each look"
    assert "nothing was heard of it" in caplog.text


def test_build_elsewhere_whose_run_has_ended_is_over(store, quick, elsewhere, running, caplog, monkeypatch):
    monkeypatch.setattr(slots, "_SILENT_SECONDS", 600.0)
    elsewhere(run=running)
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(UUID(running), Crashed(), force=True)
    with caplog.at_level(logging.INFO, "groupstream"), build_slot(store, "dataset"):
        pass
    assert "its run has ended" in caplog.text


def test_build_goes_on_without_the_turn_that_was_taken_away(store, quick, elsewhere, caplog):
    turns = Turns(store.root, "dataset")
    with caplog.at_level(logging.INFO, "groupstream"), build_slot(store, "dataset"):
        lost = turns.read()
        turns.remove(lost.id)
        _, another, _ = elsewhere()
        for _ in range(200):
            if "taken away" in caplog.text:
                break
            time.sleep(0.1)
    assert "taken away: another of dataset may run" in caplog.text
    assert turns.read().id == another, "who lost a turn does not end the next one's"


def test_turn_that_says_something_else_blocks_nobody_for_long(store, quick, caplog):
    from prefect.variables import Variable

    Variable.set(turn_name(store.root, "dataset"), "set by hand")
    with caplog.at_level(logging.INFO, "groupstream"), build_slot(store, "dataset"):
        pass
    assert "died had the turn" in caplog.text


def test_server_without_turns_builds_all_the_same(root, caplog):
    with (
        refusing_server() as url,
        temporary_settings({PREFECT_API_URL: url}),
        caplog.at_level(logging.INFO, "groupstream"),
        build_slot(LocalStore(root), "dataset"),
    ):
        pass
    assert "no turns: " in caplog.text and "403" in caplog.text


@pytest.mark.parametrize("dataset", ["fedc4", "Fed.C4", "x" * 300])
def test_name_is_one_that_prefect_takes(store, dataset):
    with build_slot(store, dataset):
        assert Turns(store.root, dataset).read().holder.pid == os.getpid()


@contextmanager
def refusing_server():
    class Refuse(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.refuse(403)

        def do_GET(self) -> None:  # the token that a server may ask for before it takes anything
            self.refuse(404)

        def refuse(self, status: int) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refuse) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/api"
        server.shutdown()
