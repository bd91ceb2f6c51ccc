"""A turn: a variable of the Prefect server that says which build of a dataset is under way.

Only one can create a variable of a name, and it is removed by its id: whoever takes a dead build's turn away takes no
later one. It survives the server, names who has it, and people can see and remove it in the UI.
"""

from __future__ import annotations

import hashlib
import os
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psutil
from httpx import HTTPStatusError
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import VariableCreate
from prefect.client.schemas.objects import Variable
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.runtime import flow_run

_TAG = "groupstream"
_SAME_START_SECONDS = 2.0  # clocks are set, process numbers are used again


@dataclass(frozen=True)
class Holder:
    """Who has a turn.

    Attributes:
        token: another one each time somebody takes a turn.
        run: the id of the Prefect run.
        place: where process numbers mean what they mean here: a machine since its last start, or a container.
        started: when the process was started, in seconds since 1970.
        beats: how often it has said that it is alive.
    """

    token: str
    run: str
    place: str
    pid: int
    started: float
    beats: int = 0

    @classmethod
    def this_process(cls) -> Holder:
        """The run that is under way here."""
        return cls(uuid4().hex, str(flow_run.id), this_place(), os.getpid(), psutil.Process().create_time())

    def is_gone(self) -> bool:
        """Whether its process is known to have ended; that of another place cannot be seen from here."""
        if self.place != this_place():
            return False
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < _SAME_START_SECONDS
            return not same or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:  # it lives, and is somebody else's
            return False


@dataclass(frozen=True)
class Taken:
    """A turn that somebody has; `holder` is None where the variable says something else."""

    id: UUID
    holder: Holder | None

    @classmethod
    def of(cls, variable: Variable) -> Taken:
        """What a variable says."""
        value = variable.value
        try:
            return cls(variable.id, Holder(**value))  # type: ignore[arg-type]
        except TypeError:
            return cls(variable.id, None)


class Turns:
    """The turns of one dataset in one root. Each method is a request or two; they raise `httpx.HTTPError`."""

    def __init__(self, root: str, dataset: str) -> None:
        self.name = turn_name(root, dataset)

    def take(self, holder: Holder) -> UUID | None:
        """The id of the turn, or None where somebody has it."""
        wanted = VariableCreate(name=self.name, value=asdict(holder), tags=[_TAG])
        with get_client(sync_client=True) as client:
            try:
                return client.create_variable(wanted).id
            except ObjectAlreadyExists:
                taken = self._read(client)
        return taken.id if taken and taken.holder and taken.holder.token == holder.token else None  # an answer was lost

    def read(self) -> Taken | None:
        """Who has it now."""
        with get_client(sync_client=True) as client:
            return self._read(client)

    def _read(self, client: SyncPrefectClient) -> Taken | None:
        variable = client.read_variable_by_name(self.name)
        return None if variable is None else Taken.of(variable)

    @staticmethod
    def beat(turn: UUID, holder: Holder) -> Holder:
        """Says once more that the holder is alive.

        Raises:
            ObjectNotFound: somebody has taken the turn away.
        """
        alive = replace(holder, beats=holder.beats + 1)
        _send("PATCH", turn, {"value": asdict(alive)})
        return alive

    @staticmethod
    def remove(turn: UUID) -> None:
        """Ends a turn; one that has been ended already is none."""
        with suppress(ObjectNotFound):
            _send("DELETE", turn)


def run_is_final(run: str) -> bool:
    """Whether a run has ended, as far as the server knows, or has been deleted there."""
    with get_client(sync_client=True) as client:
        try:
            state = client.read_flow_run(UUID(run)).state
        except (ObjectNotFound, ValueError):
            return True
    return state is not None and state.is_final()


def turn_name(root: str, dataset: str) -> str:
    """The name of the variable: that of the dataset, to be recognised, and a hash of its place."""
    words = "".join(c if c.isascii() and c.isalnum() else "-" for c in dataset.lower())[:100]
    return f"groupstream-turn-{words}-{hashlib.blake2b(f'{root}/{dataset}'.encode(), digest_size=6).hexdigest()}"


@cache
def _boot_id() -> str | None:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None


def this_place() -> str:
    """Where this process has its number: the same for all that can see each other."""
    boot = _boot_id()
    return socket.gethostname() if boot is None else f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"


def _send(method: Any, turn: UUID, content: dict[str, Any] | None = None) -> None:
    with get_client(sync_client=True) as client:
        path: Any = f"/variables/{turn}"
        try:
            client.request(method, path, **({} if content is None else {"json": content}))
        except HTTPStatusError as error:
            if error.response.status_code == 404:
                raise ObjectNotFound(http_exc=error) from error
            raise
