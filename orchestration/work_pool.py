"""The queue that runs wait in until a worker takes them."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker

_DESCRIPTION = "Builds and maintenance of datasets. Its limit says how many run at once."


def ensure_work_pool(client: SyncPrefectClient, name: str, limit: int, folder: Path | None) -> None:
    """Makes a pool of processes where there is none. One that is there keeps its type and its limit.

    Args:
        folder: where the processes start; a pool of another type knows no such thing.
    """
    try:
        pool = client.read_work_pool(name)
    except ObjectNotFound:
        template = _starting_in(ProcessWorker.get_default_base_job_template(), folder)
        client.create_work_pool(
            WorkPoolCreate(
                name=name,
                type=ProcessWorker.type,
                description=_DESCRIPTION,
                concurrency_limit=limit,
                base_job_template=template,
            )
        )
        return
    if folder is not None and pool.type == ProcessWorker.type:
        template = _starting_in(pool.base_job_template, folder)
        if template != pool.base_job_template:
            client.update_work_pool(name, WorkPoolUpdate(base_job_template=template))


def _starting_in(template: dict[str, Any], folder: Path | None) -> dict[str, Any]:
    changed = deepcopy(template)
    if folder is not None:
        changed["variables"]["properties"]["working_dir"]["default"] = str(folder)
    return changed
