"""Records in the registry how runs ended that could not say it: their process was killed, or its machine went away."""

from __future__ import annotations

from typing import Literal, NamedTuple
from uuid import UUID

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound

from registry import Registry
from tasks.retrying import is_transient


class EndedRun(NamedTuple):
    """A run that the registry took for running, and how it ended."""

    id: str
    dataset: str
    state: Literal["failed", "crashed", "cancelled"]
    error: str


@task(
    name="end-runs",
    task_run_name="tell the registry how runs ended",
    retries=2,
    retry_delay_seconds=10,
    retry_condition_fn=is_transient,
    cache_policy=NO_CACHE,
)
def end_runs(root: str, registry: Registry | None) -> list[EndedRun]:
    """Ends those of which Prefect says that they have ended. One that this server does not know is left as it is."""
    if registry is None:
        return []
    ended = []
    with get_client(sync_client=True) as client:
        for run in registry.running(root):
            state = _final_state(client, run.prefect_flow_run_id)
            if state is None:
                continue
            outcome, error = _outcome(state), f"Prefect says {state.name}: {state.message or 'no reason given'}"
            if registry.end_running(run.id, outcome, error):  # else it has just said so itself
                ended.append(EndedRun(run.id, run.dataset, outcome, error))
    return ended


def _final_state(client: SyncPrefectClient, flow_run_id: str | None) -> State | None:
    if flow_run_id is None:
        return None
    try:
        state = client.read_flow_run(UUID(flow_run_id)).state
    except (ObjectNotFound, ValueError):
        return None
    return state if state is not None and state.is_final() else None


def _outcome(state: State) -> Literal["failed", "crashed", "cancelled"]:
    if state.is_cancelled():
        return "cancelled"
    return "crashed" if state.is_crashed() else "failed"
