"""When a task is worth another try."""

from __future__ import annotations

from typing import Any

from prefect.client.schemas.objects import State

from groupstream import GroupstreamError


def is_transient(task: Any, run: Any, state: State[Any]) -> bool:
    """Not if the error is one of ours: wrong input stays wrong."""
    try:
        state.result()
    except GroupstreamError:
        return False
    except Exception:
        return True
    return False
