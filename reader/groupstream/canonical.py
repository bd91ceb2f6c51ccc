"""The one way we write JSON that is hashed or compared."""

from __future__ import annotations

import json
from typing import Any


def canonical_json(value: Any) -> bytes:
    r"""Sorted keys, UTF-8, one space for each level, an end of line.

    >>> canonical_json({"b": 1, "a": "é"}).decode()
    '{\n "a": "é",\n "b": 1\n}\n'
    """
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"
