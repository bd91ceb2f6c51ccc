"""Reading a spec from YAML, with errors that a person can act on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from groupstream import SpecError
from specs.model import Spec


def load_spec(path: str | Path, settings: Iterable[str] = ()) -> Spec:
    """Reads a spec; unknown keys are refused.

    Args:
        path: a YAML file.
        settings: `key.key=value` in YAML, such as "runner.num_workers=2"; they win over the file.

    Raises:
        SpecError: the file is missing or wrong. The message names the key, the value and what to write.
    """
    fields = _read_yaml(Path(path))
    for setting in settings:
        _apply(fields, setting)
    try:
        return Spec.model_validate(fields, extra="forbid")
    except ValidationError as error:
        problems = "; ".join(_explain(detail, fields) for detail in error.errors(include_url=False)[:5])
        raise SpecError(f"{path}: {problems}") from error


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        fields = yaml.safe_load(path.read_text())
    except FileNotFoundError as error:
        raise SpecError(f"no spec at {path}, seen from {Path.cwd()}. Give the path of a YAML file") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SpecError(f"{path} is not readable YAML: {' '.join(str(error).split())}") from error
    if not isinstance(fields, dict):
        raise SpecError(f"{path} holds {type(fields).__name__}, not keys and values; begin with: name: my-dataset")
    return fields


def _apply(fields: dict[str, Any], setting: str) -> None:
    keys, equals, value = setting.partition("=")
    if not equals:
        raise SpecError(f"--set {setting!r} has no value; write it as key.key=value, such as runner.num_workers=2")
    *outer, last = keys.split(".")
    for key in outer:
        fields = fields.setdefault(key, {})
        if not isinstance(fields, dict):
            raise SpecError(f"--set {setting!r}: {key} is a value, not a group of keys")
    fields[last] = yaml.safe_load(value)


def _explain(detail: ErrorDetails, fields: dict[str, Any]) -> str:
    """One problem in words. Pydantic's location holds the tag of a union too, which is no key of the file."""
    key = ".".join(str(part) for part in _keys(detail["loc"], fields))
    match detail["type"]:
        case "extra_forbidden":
            return f"{key} is not a key of a spec{_did_you_mean(detail['loc'])}"
        case "missing":
            return f"{key} is missing"
        case "union_tag_not_found":
            return (
                f"{key}.kind is missing; it is one of {detail['ctx']['expected_tags']}"
                if "expected_tags" in detail.get("ctx", {})
                else f"{key}.kind is missing"
            )
        case "union_tag_invalid":
            return f"{key}.kind is {detail['ctx']['tag']!r}; it is one of {detail['ctx']['expected_tags']}"
    message = detail["msg"].removeprefix("Value error, ")
    value = "" if isinstance(detail["input"], dict) else f" is {detail['input']!r}"
    return f"{key}{value}: {message[:1].lower()}{message[1:]}"


def _keys(location: tuple[int | str, ...], fields: Any) -> list[int | str]:
    keys: list[int | str] = []
    for position, part in enumerate(location):
        is_last = position == len(location) - 1
        if isinstance(fields, dict) and part not in fields and not is_last:
            continue  # the tag of a union
        keys.append(part)
        try:
            fields = fields[part]
        except (KeyError, IndexError, TypeError):
            fields = None
    return keys


def _did_you_mean(location: tuple[int | str, ...]) -> str:
    model: Any = Spec
    for part in location[:-1]:
        model = _model_at(model, str(part))
    if model is None:
        return ""
    names = list(model.model_fields)
    close = difflib.get_close_matches(str(location[-1]), names, 1)
    return f"; did you mean {close[0]}?" if close else f"; the keys here are {', '.join(names)}"


def _model_at(model: Any, part: str) -> type[BaseModel] | None:
    """The model of a key, or of a tag among the kinds of a union."""
    if model is None:
        return None
    kinds = model if isinstance(model, tuple) else ()
    for kind in kinds:
        if kind.model_fields["kind"].default == part:
            return kind
    if kinds or part not in model.model_fields:
        return None
    annotation = model.model_fields[part].annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return getattr(annotation, "__args__", None)
