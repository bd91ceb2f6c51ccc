"""Whether somebody has cancelled the run."""

from __future__ import annotations

import logging

from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

_ANSWER_SECONDS = 5.0


def is_cancelled() -> bool:
    """Whether the server says so of the run that this process executes. One request.

    SIGTERM alone does not tell: a pod that is moved and a worker that is stopped end their runs by it, too. Where the
    server does not answer, the run counts as one that may go on.
    """
    try:
        with get_client(sync_client=True, httpx_settings={"timeout": _ANSWER_SECONDS}) as client:
            state = client.read_flow_run(flow_run.id).state
    except Exception as error:  # of the connection, of the server, of a run that nobody knows
        logging.getLogger("groupstream").warning("cannot ask whether this run was cancelled: %s", error)
        return False
    return state is not None and (state.is_cancelling() or state.is_cancelled())
