"""Never two builds of one dataset at once, whoever started them.

A build takes its turn (`tasks.turns`) before it looks for its source, so whoever waits has read nothing yet. Turns are
for what would be wasted, not for what is right: builds on two servers, or one whose turn was taken away while its
machine slept, run at once and are slower; the claim and the manifest decide what is published, as they always do.
"""

from __future__ import annotations

import contextvars
import logging
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from httpx import HTTPError, HTTPStatusError
from prefect.exceptions import ObjectNotFound
from prefect.utilities.urls import url_for

from groupstream.stores import Store
from tasks.turns import Holder, Taken, Turns, run_is_final

_BEAT_SECONDS = 20.0
_SILENT_SECONDS = 90.0  # four beats: the client of an API that was away waits up to half a minute before its next try
_ENDED_SECONDS = 30.0  # so long silent and its run has ended: it did not come to ending its turn
_LOOK_SECONDS = 2.0
_SLOW_SECONDS = 5.0  # a look that took longer met an API that was away, for the holder, too
_PATIENCE_SECONDS = 300.0  # with an API that does not answer
_REMIND_SECONDS = 300.0
_REFUSALS = {401, 403, 404, 405, 422}

_log = logging.getLogger("groupstream")


@contextmanager
def build_slot(store: Store, name: str) -> Iterator[None]:
    """Inside, no other build of the dataset runs that asks the same Prefect server; it waits for one that does."""
    turns, holder = Turns(store.root, name), Holder.this_process()
    turn = _Wait(turns, holder, name).until_taken()
    if turn is None:
        yield
        return
    with _beating(turn, holder, name):
        try:
            yield
        finally:
            _end(turn)


class _Wait:
    """One build that waits for its turn, and what it has seen of whoever has it."""

    def __init__(self, turns: Turns, holder: Holder, name: str) -> None:
        self._turns = turns
        self._holder = holder
        self._name = name
        self._seen: Taken | None = None
        self._since = self._began = self._answered = time.monotonic()
        self._said: tuple[str, float] | None = None

    def until_taken(self) -> UUID | None:
        """The id of the turn; None where the server knows no turns.

        Raises:
            httpx.HTTPError: the server has not answered for five minutes.
        """
        while True:
            try:
                if (turn := self._look()) is not None:
                    return turn
                self._answered = time.monotonic()
            except HTTPError as error:
                if _is_refusal(error):
                    _log.warning("no turns: %s. Builds of %s at once are slower, and as right", error, self._name)
                    return None
                if time.monotonic() - self._answered > _PATIENCE_SECONDS:
                    raise
                self._seen = None
            time.sleep(random.uniform(0.5, 1.5) * _LOOK_SECONDS)

    def _look(self) -> UUID | None:
        while (turn := self._turns.take(self._holder)) is None:
            began, taken = time.monotonic(), self._turns.read()
            if taken is None:
                continue
            why = self._why_dead(taken, began)
            if why is None:
                self._say(taken)
                return None
            _log.info("a build of %s that died had the turn: %s", self._name, why)
            self._turns.remove(taken.id)
        return turn

    def _why_dead(self, taken: Taken, began: float) -> str | None:
        if taken != self._seen or time.monotonic() - began > _SLOW_SECONDS:
            self._seen, self._since = taken, time.monotonic()
        silent = time.monotonic() - self._since
        if taken.holder is not None and taken.holder.is_gone():
            return f"its process {taken.holder.pid} has ended"
        if silent > _SILENT_SECONDS:
            return f"nothing was heard of it for {silent:.0f} s"
        if silent > _ENDED_SECONDS and (taken.holder is None or run_is_final(taken.holder.run)):
            return "its run has ended"
        return None

    def _say(self, taken: Taken) -> None:
        run = taken.holder.run if taken.holder is not None else "unknown"
        now = time.monotonic()
        if self._said is None or self._said[0] != run or now - self._said[1] > _REMIND_SECONDS:
            where = (taken.holder and url_for("flow-run", obj_id=run)) or run
            waited = f", for {now - self._began:.0f} s so far" if self._said else ""
            _log.info("waiting for the build of %s that is under way: %s%s", self._name, where, waited)
            self._said = run, now


def _is_refusal(error: HTTPError) -> bool:
    """Whether the server has understood and will not: asking again changes nothing."""
    return isinstance(error, HTTPStatusError) and error.response.status_code in _REFUSALS


@contextmanager
def _beating(turn: UUID, holder: Holder, name: str) -> Iterator[None]:
    """Inside, a thread says now and then that this build is alive. That it cannot does not harm the build."""
    stopped = threading.Event()

    def beat() -> None:
        alive = holder
        while not stopped.wait(_BEAT_SECONDS):
            try:
                alive = Turns.beat(turn, alive)
            except ObjectNotFound:
                if not stopped.is_set():
                    _log.warning(
                        "the turn of this build was taken away: another of %s may run now. Both are right", name
                    )
                return
            except (HTTPError, RuntimeError) as error:  # the latter: the client was closed, the run is over
                _log.debug("the server did not hear that this build is alive: %s", error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=[beat], name="turn", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(1)


def _end(turn: UUID) -> None:
    """What waits sees otherwise, half a minute later, that this run has ended."""
    try:
        Turns.remove(turn)
    except HTTPError as error:
        _log.warning("the server did not hear that the turn of this build is over: %s", error)
