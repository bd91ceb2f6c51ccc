"""Progress that a dead process left in the Prefect UI."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.objects import Artifact
from prefect.client.schemas.sorting import ArtifactSort
from prefect.exceptions import ObjectNotFound

_MAX_LOOKED_AT = 50
_ENDS = ("Done", "Stopped")


def end_left_over(client: SyncPrefectClient, keys: Sequence[str], flow_run_id: UUID | None) -> None:
    """Says of each progress that nobody moves any more that it has stopped.

    That is so of an earlier try of this run, and of runs that have ended. Call it before this run shows progress.

    Args:
        keys: of the progress artifacts of the dataset.
        flow_run_id: of this run.
    """
    found = client.read_artifacts(
        artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=list(keys))),
        sort=ArtifactSort.UPDATED_DESC,
        limit=_MAX_LOOKED_AT,
    )
    for artifact in found:
        if not (artifact.description or "").startswith(_ENDS) and _is_dead(client, artifact, flow_run_id):
            words = f"Stopped: the process that did it ended. {artifact.description}"
            client.update_artifact(artifact.id, ArtifactUpdate(description=words))


def _is_dead(client: SyncPrefectClient, artifact: Artifact, flow_run_id: UUID | None) -> bool:
    if artifact.flow_run_id is None or artifact.flow_run_id == flow_run_id:
        return True
    try:
        state = client.read_flow_run(artifact.flow_run_id).state
    except ObjectNotFound:
        return True
    return state is not None and state.is_final()
