"""Brings the deployments of prefect.yaml, their work pool and the automations to a Prefect server.

Like `prefect deploy --all`, but it may run at any time: what people changed in the UI stays until the file says
something new, and a schedule that they switched on stays on even then.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from jsonschema.exceptions import best_match
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectNotFound
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import validate
from pydantic import BaseModel

from groupstream import SpecError
from orchestration.automations import apply_automations
from orchestration.definitions import Definition, read_definitions
from orchestration.webhook import WEBHOOK_URL, keep_webhook, refuse_no_address
from orchestration.work_pool import ensure_work_pool


class Deployed(BaseModel):
    """What stands on the server now.

    Attributes:
        deployments: the id of each, by flow/name.
        changed: those that were made or written anew.
        left_out: the automations that need a block which nobody has made on the server, and which one.
    """

    deployments: dict[str, UUID]
    changed: list[str]
    automations: list[str]
    left_out: dict[str, str] = {}


class Deployable(NamedTuple):
    """A deployment of the file, with the flow that it runs and the form of that flow."""

    definition: Definition
    flow: Flow[..., Any]
    schema: dict[str, Any]


def read_deployables(prefect_file: Path) -> list[Deployable]:
    """Reads the file and loads its flows, which takes seconds; needs no server.

    Raises:
        SpecError: the file is wrong, or has parameters that the form of the flow refuses.
        UsageError: the address of the webhook is none.
    """
    refuse_no_address(os.environ.get(WEBHOOK_URL))
    definitions = read_definitions(prefect_file)
    flows: dict[str, Flow[..., Any]] = {
        each: load_flow_from_entrypoint(each) for each in dict.fromkeys(d.entrypoint for d in definitions)
    }
    schemas = {each: parameter_schema(flow).model_dump(exclude_unset=True) for each, flow in flows.items()}
    deployables = [Deployable(each, flows[each.entrypoint], schemas[each.entrypoint]) for each in definitions]
    for each in deployables:
        _refuse_wrong(each.definition, each.schema)
    return deployables


def deploy(
    deployables: Sequence[Deployable], automations_file: Path, limit: int, folder: Path | None = None
) -> Deployed:
    """Deploys all; needs the address of the server in PREFECT_API_URL.

    Args:
        limit: at most so many runs at once in a work pool that is made here.
        folder: where runs of a local pool start, so that relative paths of a spec are seen from there.
    """
    deployed = Deployed(deployments={}, changed=[], automations=[])
    with get_client(sync_client=True) as client:
        for name in dict.fromkeys(each.definition.work_pool.name for each in deployables):
            ensure_work_pool(client, name, limit, folder)
        for each in deployables:
            _apply(client, *each, deployed)
        keep_webhook(os.environ.get(WEBHOOK_URL))
        applied = apply_automations(client, automations_file, deployed.deployments)
    return deployed.model_copy(update={"automations": applied.names, "left_out": applied.left_out})


def _apply(
    client: SyncPrefectClient, definition: Definition, flow: Flow[..., Any], schema: dict[str, Any], deployed: Deployed
) -> None:
    full_name = f"{flow.name}/{definition.name}"
    existing = _existing(client, full_name)
    version = _digest(definition, schema)
    if existing is not None and existing.version == version:
        deployed.deployments[full_name] = existing.id
        return
    deployed.deployments[full_name] = client.create_deployment(
        flow_id=client.create_flow_from_name(flow.name),
        name=definition.name,
        version=version,
        entrypoint=definition.entrypoint,
        description=definition.description,
        tags=definition.tags,
        parameters=definition.parameters,
        parameter_openapi_schema=schema,
        enforce_parameter_schema=True,
        schedules=list(_schedules(definition, existing)),
        concurrency_limit=definition.concurrency_limit.limit,
        concurrency_options=ConcurrencyOptions(
            collision_strategy=ConcurrencyLimitStrategy(definition.concurrency_limit.collision_strategy)
        ),
        work_pool_name=definition.work_pool.name,
        job_variables=definition.work_pool.job_variables,
        pull_steps=[],  # the code is installed where the worker is
    )
    deployed.changed.append(full_name)


def _refuse_wrong(definition: Definition, schema: dict[str, Any]) -> None:
    """Raises for parameters that the server would refuse, in fewer words than it."""
    errors = validate(definition.parameters, schema, ignore_required=True)
    if errors:
        error = best_match(errors)
        raise SpecError(f"deployment {definition.name}: {error.json_path}: {error.message[:500]}; mend its parameters")


def _existing(client: SyncPrefectClient, full_name: str) -> DeploymentResponse | None:
    try:
        return client.read_deployment_by_name(full_name)
    except ObjectNotFound:
        return None


def _digest(definition: Definition, schema: dict[str, Any]) -> str:
    """The version of a deployment: another one as soon as the file or the form of its flow is another."""
    content = json.dumps([definition.model_dump(mode="json"), schema], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def _schedules(definition: Definition, existing: DeploymentResponse | None) -> Iterable[DeploymentScheduleCreate]:
    active = {each.slug: each.active for each in (existing.schedules if existing else [])}
    for each in definition.schedules:
        yield DeploymentScheduleCreate(
            slug=each.slug,
            active=active.get(each.slug, each.active),
            schedule=CronSchedule(cron=each.cron, timezone=each.timezone),
        )
