"""Reading a spec from YAML, with errors that a person can act on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar, get_args, overload

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from groupstream import SpecError
from groupstream.stores.address import without_credentials
from sources.files import first_line
from sources.selection import hint
from specs.model import Spec

AnySpec = TypeVar("AnySpec", bound=BaseModel)


@overload
def load_spec(path: str | Path, settings: Iterable[str] = ()) -> Spec: ...
@overload
def load_spec(path: str | Path, settings: Iterable[str], model: type[AnySpec]) -> AnySpec: ...
def load_spec(path: str | Path, settings: Iterable[str] = (), model: type[BaseModel] = Spec) -> BaseModel:
    """Reads a spec; unknown keys are refused.

    Args:
        path: a YAML file.
        settings: `key.key=value` in YAML, such as "runner.num_workers=2"; they win over the file.
        model: what it is a spec of. Default: of a build.

    Raises:
        SpecError: the file is missing or wrong. The message names the key, the value and what to write.
    """
    fields = _read_yaml(Path(path))
    for setting in settings:
        _apply(fields, setting)
    try:
        return model.model_validate(fields, extra="forbid")
    except ValidationError as error:
        details = error.errors(include_url=False)
        within = [detail for detail in details if not _names_a_type(next(reversed(detail["loc"]), ""))]
        problems = "; ".join(_explain(model, detail) for detail in (within or details)[:5])
        raise SpecError(f"{path}: {without_credentials(problems)}") from None  # the cause quotes what was given


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        fields = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError as error:
        raise SpecError(f"no spec at {path}, seen from {Path.cwd()}. Give the path of a YAML file") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = without_credentials(" ".join(str(error).split()))
        raise SpecError(f"{path} is not readable YAML: {reason}") from None
    if not isinstance(fields, dict):
        raise SpecError(f"{path} holds {type(fields).__name__}, not keys and values; begin with: name: my-dataset")
    return fields


class _Loader(yaml.SafeLoader):
    """YAML in which a key stands once; by itself YAML keeps the last and says nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for (key, _), name in zip(node.value, keys, strict=True):
            if keys.count(name) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{name} stands twice", key.start_mark)
        return super().construct_mapping(node, deep)


def _apply(fields: dict[str, Any], setting: str) -> None:
    keys, equals, value = setting.partition("=")
    *outer, last = keys.split(".")
    shown = without_credentials(setting)
    if not equals or not all([*outer, last]):
        raise SpecError(f"--set {shown!r} is no key=value; write it such as runner.num_workers=2")
    for key in outer:
        fields = fields.setdefault(key, {})
        if not isinstance(fields, dict):
            raise SpecError(f"--set {shown!r}: {key} is a value, not a group of keys")
    try:
        fields[last] = yaml.load(value, _Loader)
    except yaml.YAMLError as error:
        raise SpecError(f"--set {shown!r}: the value is no YAML; quote it: {first_line(error)}") from None


def _explain(model: type[BaseModel], detail: ErrorDetails) -> str:
    """One problem in words."""
    if not detail["loc"]:  # of the whole
        return detail["msg"].removeprefix("Value error, ")
    *outer, last = detail["loc"]
    key, annotation = _follow(model, detail["loc"])
    match detail["type"]:
        case "extra_forbidden":
            return f"{key} is not a key of a spec; {hint(str(last), _follow(model, outer)[1].model_fields)}"
        case "missing":
            return f"{key} is missing: {_follow(model, outer)[1].model_fields[last].description}"
        case "union_tag_not_found":
            return f"{key}.{_tag(annotation)} is missing; it is one of {', '.join(_kinds(annotation))}"
        case "union_tag_invalid":
            tag = detail["ctx"]["tag"]
            return f"{key}.{_tag(annotation)} is {tag!r}; {hint(tag, _kinds(annotation))}"
    message = detail["msg"].removeprefix("Value error, ")
    value = "" if isinstance(detail["input"], dict) else f" is {detail['input']!r:.80}"
    way_out = ". Put it in quotes" if detail["type"] == "string_type" and isinstance(detail["input"], float) else ""
    return f"{key}{value}: {message[:1].lower()}{message[1:]}{way_out}"


def _follow(model: type[BaseModel], location: Iterable[int | str]) -> tuple[str, Any]:
    """The key that a location of pydantic means, and the type of what is there.

    A location names more than keys: the kind in a union of kinds, and the type in a plain one, as dict[str,int].
    """
    keys: list[str] = []
    found: Any = model
    for step in location:
        part, members = str(step), get_args(found)
        if isinstance(step, int):  # an item of a list
            keys.append(part)
            found = next(reversed(members), None)
            continue
        if kinds := _kinds(found):
            found = kinds[part]
            continue
        if _names_a_type(part):
            found = next(m for m in members if part.startswith(f"{getattr(m, '__name__', m)}["))
            continue
        keys.append(part)
        field = getattr(found, "model_fields", {}).get(part)
        found = field.annotation if field else next(reversed(members), None)  # of a dict or a list
    return ".".join(keys), found


def _names_a_type(part: int | str) -> bool:
    return "[" in str(part)


def _kinds(annotation: Any) -> dict[str, type[BaseModel]]:
    """The models of a union, by what tells them apart."""
    tag = _tag(annotation)
    return {model.model_fields[tag].default: model for model in _models(annotation) if tag in model.model_fields}


def _tag(annotation: Any) -> str:
    """The key that tells the models of a union apart: kind, but by of splits."""
    return "kind" if any("kind" in model.model_fields for model in _models(annotation)) else "by"


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    for member in get_args(annotation):
        if hasattr(member, "model_fields"):
            yield member
        else:
            yield from _models(member)
