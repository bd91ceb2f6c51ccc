"""Functions that a deployment allows, and what it must not be led to."""

from __future__ import annotations

from os import getcwd  # noqa: F401
from textwrap import dedent as foreign  # noqa: F401
from typing import Any

NO_FUNCTION = 3


def first_letter(example: dict[str, Any]) -> str | None:
    return example["key"][:1] if example["key"] else None


def as_given(example: dict[str, Any]) -> Any:
    return example["key"]


def divided(example: dict[str, Any]) -> int:
    return 1 // example["key"]
