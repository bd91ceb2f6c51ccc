"""Docstrings as Markdown: doctests become blocks of code, not quotations; <name> stays, and is no HTML."""

from __future__ import annotations

import re
from typing import Any

import griffe

_DOCTEST = re.compile(r"(?:^>>> .*\n?)(?:^(?!\s*$).*\n?)*", re.MULTILINE)
_CODE_OR_BRACKET = re.compile(r"```.*?```|`[^`]*`|<(?=[\w/])", re.DOTALL)


class MarkdownDocstrings(griffe.Extension):
    """Changes the docstrings of all objects that are loaded."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """See griffe."""
        if obj.docstring is not None:
            obj.docstring.value = escaped(fenced(obj.docstring.value))


def escaped(text: str) -> str:
    """Angle brackets as Markdown needs them, outside of code.

    >>> escaped("a <b>, `<c>`")
    'a &lt;b>, `<c>`'
    """
    return _CODE_OR_BRACKET.sub(lambda found: "&lt;" if found[0] == "<" else found[0], text)


def fenced(docstring: str) -> str:
    """Each doctest of a docstring between fences."""
    return _DOCTEST.sub(lambda found: f"```pycon\n{found[0].rstrip()}\n```\n", docstring).rstrip()
