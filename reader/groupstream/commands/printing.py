"""What the commands print: data must neither steer the terminal nor break the JSON."""

from __future__ import annotations

import json
import math
from typing import Any


def visible(text: str) -> str:
    r"""Control characters as escapes; lines stay lines.

    >>> print(visible("a\x1b[31mb"))
    a\x1b[31mb
    """
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def to_json(value: Any, indent: int | None = None) -> str:
    """JSON in ASCII. Bytes are text, with escapes where they are not UTF-8; numbers that JSON lacks are text too.

    >>> to_json([b"a", float("nan")])
    '["a", "nan"]'
    """
    return json.dumps(_plain(value), indent=indent)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return _plain(value.tolist()) if hasattr(value, "tolist") else value
