"""The environment that a local platform's processes share."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

HEARTBEAT_SECONDS = 30  # a run that is silent for several of these is dead; see automations.yaml
PUBLIC = ("python_modules:", "tfds:", "huggingface:")  # what the specs of specs/ read; other files of this machine not
HOST = "127.0.0.1"


def platform_environment(home: Path, root: str, port: int, given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What a person has set stays, but for where things are: that is what the command says.

    Args:
        home: where Prefect keeps its database.
        root: where the datasets lie, a folder or a URL.
        given: the environment of the command.
    """
    chosen = {
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
        # The server may be killed at any moment; docs/zombies.md. Else a deployment's limit would stay full for ever,
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        # a run that died while the server was away for minutes would never become Crashed,
        "PREFECT_SERVER_EVENTS_EXPIRED_BUCKET_BUFFER": "P1D",
        # and one that was being cancelled when its worker died would take five minutes.
        "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_CANCELLING_TIMEOUT_SECONDS": "120",
        # A run prints to its worker, which may be killed, too.
        "PREFECT_LOGGING_HANDLERS_CONSOLE_CLASS": "orchestration.lasting_console.LastingConsoleHandler",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "GROUPSTREAM_ALLOWED_SOURCES": ",".join([str(Path.cwd()), root, *PUBLIC]),
        "GROUPSTREAM_ALLOWED_ROOTS": root,
        "GROUPSTREAM_ALLOWED_RUNNERS": "local",
    }
    places = {
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_API_HOST": HOST,
        "PREFECT_SERVER_API_PORT": str(port),  # `--port` alone leaves the UI calling port 4200
        "PREFECT_API_URL": api_url(port),
        "GROUPSTREAM_ROOT": root,
        "PYTHONUNBUFFERED": "1",  # logs are read while they are written
    }
    return {**chosen, **given, **places}


def api_url(port: int) -> str:
    """Where the API of the local server is."""
    return f"http://{HOST}:{port}/api"
