"""What the server does by itself when something happens: automations.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.events.schemas.automations import Automation, AutomationCore
from pydantic import ValidationError

from groupstream import SpecError
from orchestration.definitions import read_yaml
from orchestration.webhook import block_id


class Applied(NamedTuple):
    """What became of the automations of the file.

    Attributes:
        names: of those that stand on the server now.
        left_out: those that need a block which nobody has made there, and which one.
    """

    names: list[str]
    left_out: dict[str, str]


def apply_automations(client: SyncPrefectClient, path: Path, deployments: Mapping[str, UUID]) -> Applied:
    """Makes those that are missing and rewrites those that differ, by name.

    One that people switched off stays off. Others on the server are left alone.

    Args:
        deployments: the id of each, by flow/name.

    Raises:
        SpecError: the file is wrong; the message names the automation and the key.
    """
    applied = Applied([], {})
    existing = {each.name: each for each in client.read_automations()}
    for entry in read_yaml(path).get("automations") or []:
        if missing := _missing_block(client, entry):
            applied.left_out[entry["name"]] = missing
            continue
        actions = [_with_ids(client, action, deployments, path) for action in entry.get("actions") or []]
        wanted = _automation({**entry, "actions": actions}, path)
        _apply(client, wanted, existing.get(wanted.name))
        applied.names.append(wanted.name)
    return applied


def _missing_block(client: SyncPrefectClient, entry: dict[str, Any]) -> str | None:
    blocks = [action["block"] for action in entry.get("actions") or [] if "block" in action]
    return next((block for block in blocks if block_id(client, block) is None), None)


def _with_ids(
    client: SyncPrefectClient, action: dict[str, Any], deployments: Mapping[str, UUID], path: Path
) -> dict[str, Any]:
    """An action with the ids of what it names: a deployment as flow/name, a block as type/name."""
    fields = dict(action)
    if (name := fields.pop("deployment", None)) is not None:
        if name not in deployments:
            raise SpecError(f"{path}: an action runs {name}, which is no deployment of ours: {', '.join(deployments)}")
        fields["deployment_id"] = str(deployments[name])
    if (name := fields.pop("block", None)) is not None:
        fields["block_document_id"] = str(block_id(client, name))
    return fields


def _apply(client: SyncPrefectClient, wanted: AutomationCore, existing: Automation | None) -> None:
    if existing is None:
        client.create_automation(wanted)
        return
    kept = wanted.model_copy(update={"enabled": existing.enabled})
    if kept != _without_id(existing):
        fields = kept.model_dump(mode="json", exclude={"owner_resource"})  # the server takes it when one is made only
        client.update_automation(existing.id, AutomationCore.model_validate(fields))


def _without_id(automation: Automation) -> AutomationCore:
    return AutomationCore.model_validate(automation.model_dump(include=set(AutomationCore.model_fields)))


def _automation(entry: dict[str, Any], path: Path) -> AutomationCore:
    try:
        return AutomationCore.model_validate(entry)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(map(str, problem["loc"]))
        raise SpecError(f"{path}: automation {entry.get('name')!r}: {key}: {problem['msg']}; mend it there") from error
