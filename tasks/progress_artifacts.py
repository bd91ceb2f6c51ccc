"""Progress of the long steps in the Prefect UI: one artifact for each, which moves.

They are kept up to date by a thread of their own. A build never waits for it: while Prefect is slow or away, what it
should have shown is dropped, and the build goes on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import monotonic
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.context import FlowRunContext
from prefect.settings import PREFECT_API_URL
from prefect.utilities.context import get_task_and_flow_run_ids

from tasks.artifacts import artifact_key
from tasks.left_over import end_left_over
from tasks.reporting import step_listener
from tasks.steps import STEP_NAMES, Step, duration_in_words, speed_in_words

_SECONDS_BETWEEN_UPDATES = 2.0
_SECONDS_FOR_THE_LAST = 10.0

_log = logging.getLogger("groupstream")


@dataclass
class _Shown:
    """A step, and the artifact that shows it."""

    key: str
    task_run_id: UUID | None
    first: Step
    started_at: float
    now: Step
    now_at: float
    end: str = ""  # in words, once it moves no more
    artifact_id: UUID | None = None
    sent: str = ""

    def move(self, step: Step) -> None:
        """It is further now, or at its end; or, where its task began again, less far."""
        if step.done < self.now.done:
            self.first, self.started_at, self.end = step, monotonic(), ""
        if not self.end:
            self.now, self.now_at = step, monotonic()
            self.end = "Done" if step.done == step.total else ""

    def stop(self, stopped: str) -> None:
        """It moves no more: it has come to its end, unless something stopped it before."""
        if stopped and self.now.share < 1:
            self.end = stopped
            return
        self.end = "Done"
        self.now = replace(self.now, done=self.now.total, num_bytes=self.now.total_bytes or self.now.num_bytes)

    def in_words(self) -> str:
        """How far it is, and how fast it went."""
        seconds = self.now_at - self.started_at
        speed = speed_in_words(self.first, self.now, seconds)
        if self.end:
            said = f"{self.end}. {self.now.in_words}, in {duration_in_words(seconds)}"
            return f"{said} ({speed})" if speed and self.end == "Done" else said
        return "; ".join(filter(None, [self.now.in_words, speed, f"at {datetime.now(UTC):%H:%M:%S} UTC"]))


class ProgressArtifacts:
    """Listens to the steps of a run and shows them. See the module.

    Args:
        dataset: its name begins the keys of the artifacts.
        seconds_between_updates: of all artifacts together.
        seconds_for_the_last: at the end, it waits so long for Prefect to know.
    """

    def __init__(
        self,
        dataset: str,
        seconds_between_updates: float = _SECONDS_BETWEEN_UPDATES,
        seconds_for_the_last: float = _SECONDS_FOR_THE_LAST,
    ) -> None:
        self._keys = {step: f"{artifact_key(dataset)}-{step}" for step in STEP_NAMES}
        self._seconds_between = seconds_between_updates
        self._seconds_for_the_last = seconds_for_the_last
        self._shown: dict[str, _Shown] = {}
        self._lock = threading.Lock()
        self._moved, self._stopped = threading.Event(), threading.Event()
        _, self._flow_run_id = get_task_and_flow_run_ids()
        self._thread = threading.Thread(target=copy_context().run, args=(self._work,), daemon=True)
        self._thread.start()

    def listen(self, step: Step) -> None:
        """A step is so far. Returns at once."""
        task_run_id, _ = get_task_and_flow_run_ids()
        with self._lock:
            known = self._shown.get(step.name)
            if known is None:
                self._end("")
                now = monotonic()
                self._shown[step.name] = _Shown(self._keys[step.name], task_run_id, step, now, step, now)
            else:
                known.move(step)
        self._moved.set()

    def stop(self, stopped: str) -> None:
        """No step moves from now on. Waits a little for Prefect to know.

        Args:
            stopped: why the last step did not come to its end; empty where it did.
        """
        with self._lock:
            self._end(stopped)
        self._stopped.set()
        self._moved.set()
        self._thread.join(self._seconds_for_the_last)

    def _end(self, stopped: str) -> None:
        """The step that was last has ended: well, where another one follows."""
        for last in list(self._shown.values())[-1:]:
            last.stop(stopped)

    def _work(self) -> None:
        """What the thread does."""
        client = get_client(sync_client=True)  # not as a context, which asks a server that may be away
        self._try(lambda: end_left_over(client, list(self._keys.values()), self._flow_run_id))
        while not self._stopped.is_set():
            self._moved.wait()
            self._moved.clear()
            self._try(lambda: self._send(client))
            self._stopped.wait(self._seconds_between)
        self._try(lambda: self._send(client))

    def _try(self, act: Callable[[], None]) -> None:
        """A build does not fail for what it shows."""
        try:
            act()
        except Exception as error:
            _log.debug("Prefect did not take the progress of this run: %s", error)

    def _send(self, client: SyncPrefectClient) -> None:
        """Shows what moved since the last time."""
        with self._lock:
            shown = [(one, one.in_words(), round(100 * one.now.share, 1)) for one in self._shown.values()]
        for one, words, percent in shown:
            if words == one.sent:
                continue
            if one.artifact_id is None:
                created = ArtifactCreate(
                    key=one.key,
                    type="progress",
                    description=words,
                    data=percent,
                    flow_run_id=self._flow_run_id,
                    task_run_id=one.task_run_id,
                )
                one.artifact_id = client.create_artifact(created).id
            else:
                client.update_artifact(one.artifact_id, ArtifactUpdate(description=words, data=percent))
            one.sent = words


@contextmanager
def progress_artifacts(dataset: str) -> Iterator[None]:
    """Inside, the long steps of the build of a dataset show in Prefect, if a server of Prefect is asked."""
    if not PREFECT_API_URL.value() or FlowRunContext.get() is None:
        yield  # nobody looks at a server that ends with this process
        return
    shown = ProgressArtifacts(dataset)
    token = step_listener.set(shown.listen)
    stopped = "Stopped before its end"
    try:
        yield
        stopped = ""
    finally:
        step_listener.reset(token)
        shown.stop(stopped)
