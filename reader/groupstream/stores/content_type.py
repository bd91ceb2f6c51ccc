"""What a bucket tells a browser about an object, so that a card or the catalog opens instead of being saved."""

from __future__ import annotations

from pathlib import PurePosixPath

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
}


def content_type(path: str) -> str:
    """The media type of an object, by the end of its name.

    >>> content_type("catalog.html")
    'text/html; charset=utf-8'
    """
    return _TYPES.get(PurePosixPath(path).suffix, "application/octet-stream")
