"""Streams of groups for other libraries. Each adapter is a file, and imports its library when it is first asked for."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from groupstream.errors import UsageError


def needed(module: str, extra: str) -> Any:
    """A module of a library that may not be installed.

    Args:
        module: its name, such as "torch.utils.data".
        extra: the extra of groupstream that brings it.

    Raises:
        UsageError: it is not installed.
    """
    try:
        found: ModuleType = importlib.import_module(module)
    except ModuleNotFoundError as error:
        library = module.partition(".")[0]
        if error.name != library:
            raise
        raise UsageError(
            f"this needs {library}, which is not installed; get it with: pip install 'groupstream[{extra}]'"
        ) from None
    return found
