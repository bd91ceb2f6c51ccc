"""Deployments as prefect.yaml defines them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from groupstream import SpecError

PREFECT_FILE = "prefect.yaml"
AUTOMATIONS_FILE = "automations.yaml"


class Schedule(BaseModel):
    """When a deployment runs by itself, if active. Parameters stand on the deployment: toggling wipes them here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slug: str
    cron: str
    timezone: str
    active: bool = False


class Limit(BaseModel):
    """How many runs of a deployment there are at once, and what becomes of one more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit: int
    collision_strategy: str


class Pool(BaseModel):
    """Which workers take the runs, and with what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    job_variables: dict[str, Any] = {}


class Definition(BaseModel):
    """A deployment of prefect.yaml, in the keys that ours use."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    entrypoint: str
    description: str
    tags: list[str]
    work_pool: Pool
    concurrency_limit: Limit
    parameters: dict[str, Any] = {}
    schedules: list[Schedule] = []


def read_definitions(path: Path) -> list[Definition]:
    """All deployments of the file.

    Raises:
        SpecError: it is missing or wrong; the message names the deployment and the key.
    """
    entries = read_yaml(path).get("deployments") or []
    return [_definition(entry, path) for entry in entries]


def read_yaml(path: Path) -> dict[str, Any]:
    """The keys and values of a file."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SpecError(
            f"no {path.name} in {path.parent.resolve()}; run in a checkout, or name its {PREFECT_FILE} with --file "
            f"({AUTOMATIONS_FILE} is read beside that)"
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SpecError(f"{path} is not readable YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise SpecError(f"{path} holds {type(content).__name__}, not keys and values; begin with: deployments:")
    return content


def _definition(entry: dict[str, Any], path: Path) -> Definition:
    try:
        return Definition.model_validate(entry)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(map(str, problem["loc"]))
        name = entry.get("name", "without a name") if isinstance(entry, dict) else repr(entry)
        raise SpecError(f"{path}: deployment {name}: {key}: {problem['msg']}; mend it there") from error


def beside_the_code(name: str) -> Path:
    """A file of the current folder or, where there is none, of the checkout that this code lies in."""
    here = Path.cwd() / name
    return here if here.exists() else Path(__file__).resolve().parents[1] / name
