"""No secret in a spec: Prefect keeps it as the parameter of a run, claims keep where the source lies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel

from groupstream import UsageError
from groupstream.stores import is_url
from groupstream.stores.address import refuse_credentials

Part = TypeVar("Part", bound=BaseModel)


def no_credentials(part: Part) -> Part:
    """A part of a spec, whose places name no user, password or signature.

    Raises:
        ValueError: one does. The message does not show them.
    """
    names = getattr(part, "places", frozenset(type(part).model_fields))
    for name in sorted(names):
        for text in _texts(getattr(part, name, None)):
            _refuse(name, text)
    return part


def no_credentials_in_root(root: str | None) -> str | None:
    """The same for one address."""
    for text in _texts(root):
        _refuse("root", text)
    return root


def _refuse(name: str, text: str) -> None:
    try:
        if is_url(text):
            refuse_credentials(text)
    except UsageError as error:
        raise ValueError(f"{name}: {error}") from None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
