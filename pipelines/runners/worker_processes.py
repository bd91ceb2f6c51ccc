"""Worker processes of this machine, forked from one that has imported everything already.

Importing Beam takes a worker two seconds and 200 MB of its own; a fork takes milliseconds and shares them. The process
that forks is kept for as long as this one lives, and reads from a pipe what to start. When the pipe ends, however this
process ended, all workers end too.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

import grpc
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc
from apache_beam.transforms.environments import ExternalEnvironment
from apache_beam.utils.thread_pool_executor import shared_unbounded_instance

from pipelines.runners import worker_log
from pipelines.runners.errors import last_line

# Workers ask every 20 s whether we are there, as Beam has it; a server cuts such connections off unless told not to.
_SERVER_OPTIONS = (("grpc.http2.max_pings_without_data", 0), ("grpc.http2.max_ping_strikes", 0))
_STATE_CACHE_BYTES = 64 << 20  # of side inputs, such as the list of runs
_LOG_SECONDS = 2.0  # for the last lines that workers say
_LAST_WORDS_SECONDS = 0.5  # else a connection that is cut while it ends is an error of the build at times
_ERROR = "groupstream.errors.WorkerError: "  # found in the text that Beam makes of it
_lock = Lock()
_parent: subprocess.Popen[str] | None = None


def warm_up() -> None:
    """Starts the process that forks the workers, if it does not run; returns at once."""
    _running_parent()


@contextmanager
def worker_environment(log: Path) -> Iterator[ExternalEnvironment]:
    """What Beam's local runner asks for its worker processes.

    Args:
        log: a file that gets what the workers write to stderr. What they say to a logger is said here.
    """
    server = grpc.server(shared_unbounded_instance(), options=_SERVER_OPTIONS)
    port = server.add_insecure_port("localhost:0")
    pool = _WorkerPool(log, f"localhost:{port}")
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    beam_fn_api_pb2_grpc.add_BeamFnLoggingServicer_to_server(worker_log.WorkerLog(), server)
    server.start()
    try:
        yield ExternalEnvironment(f"localhost:{port}")
    except BaseException:
        end_workers()  # else one that is at work writes on to a staging area that is being removed
        raise
    finally:
        server.stop(_LOG_SECONDS).wait()


class _WorkerPool(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):
    """Answers Beam's requests for a worker."""

    def __init__(self, log: Path, log_url: str) -> None:
        self._log = log
        self._log_url = log_url

    def StartWorker(self, request: Any, context: Any) -> Any:  # noqa: N802 - its name in Beam's protocol
        """Has a worker forked. It looks like this process: environment, import path, folder.

        Waits until it is: a worker that never comes is one that Beam would wait for without an end.
        """
        order = {
            "worker_id": request.worker_id,
            "control_url": request.control_endpoint.url,
            "log": str(self._log),
            "log_url": self._log_url,
            "environ": dict(os.environ),
            "path": sys.path,
            "folder": str(Path.cwd()),
        }
        with _lock:
            reason = _start(json.dumps(order))
        return beam_fn_api_pb2.StartWorkerResponse(error=reason and f"{_ERROR}no worker process starts: {reason}")

    def StopWorker(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Nothing to do: a worker ends when Beam closes its connection."""
        return beam_fn_api_pb2.StopWorkerResponse()


def _start(order: str) -> str:
    """Has a worker forked; empty, or why that cannot be."""
    parent = _running_parent()
    assert parent.stdin is not None and parent.stdout is not None
    with suppress(BrokenPipeError):
        parent.stdin.write(order + "\n")
        parent.stdin.flush()
    if parent.stdout.readline():
        return ""
    _, said = parent.communicate()
    return last_line(said)


def _running_parent() -> subprocess.Popen[str]:
    global _parent
    if _parent is None or _parent.poll() is not None:
        _parent = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],  # -P: what lies in the folder of the build is not what it imports
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            start_new_session=True,  # Ctrl-C is for the build, which then ends its workers
        )
        atexit.register(end_workers)
    return _parent


def end_workers() -> None:
    """Ends all workers and the process that forks them, if they are there. The next build starts another."""
    global _parent
    parent = _parent
    if parent is None:
        return
    if parent.poll() is None:
        os.killpg(parent.pid, signal.SIGKILL)
    with _lock, suppress(ValueError):  # whoever waited for it to fork has closed its pipes
        _parent = None
        parent.communicate()


def _fork_workers() -> None:
    """What the process that forks does: a worker for each line."""
    import pipelines.transforms  # noqa: F401 - with all that workers need

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    gc.freeze()  # else the first collection of each worker would copy what it shares
    for line in sys.stdin:
        if not os.fork():
            _work(json.loads(line))
            time.sleep(_LAST_WORDS_SECONDS)
            os._exit(0)
        os.write(1, b"started\n")
    os.killpg(0, signal.SIGKILL)


def _work(order: dict[str, Any]) -> None:
    from apache_beam.runners.worker.sdk_worker import SdkHarness

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(order["environ"])
    sys.path[:] = order["path"]
    os.chdir(order["folder"])
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 2)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    with worker_log.said_elsewhere(order["log_url"]):
        SdkHarness(order["control_url"], worker_id=order["worker_id"], state_cache_size=_STATE_CACHE_BYTES).run()


if __name__ == "__main__":
    _fork_workers()
