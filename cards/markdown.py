"""Markdown of text that anybody may have written: what is shown is the text, never what it would be as markup.

The escapes hold in CommonMark, in that of GitHub and of the Hugging Face Hub.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from cards.text import visible, visible_line

_SIGNS = re.compile(r"[\\`*_\[\]|~$]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_BLOCK_SIGN = re.compile(r"^([#+=:-]|\d+(?=[.)]))")  # at the start of a line: a heading, a list, a rule
_OF_ADDRESSES = ":/?#[]@!$&'()*+,;=%~"


def escaped_line(text: str | bytes, max_length: int = 200) -> str:
    r"""Any text on one line, such as the id of a group, in a paragraph or a cell of a table.

    >>> escaped_line("<b>*x*</b>|")
    '&lt;b&gt;\\*x\\*&lt;/b&gt;\\|'
    """
    return _escape_line(visible_line(text, max_length))


def escaped_text(text: str) -> str:
    """Any text of several lines; an empty line still ends a paragraph."""
    return "\n".join(_escape_line(line.strip()) for line in visible(text).replace("\t", " ").split("\n")).strip()


def escaped_words(text: str) -> str:
    r"""A sentence of ours whose names of others stand between backticks: those are code, all else is text.

    >>> escaped_words("The value of `a_b` <i>.")
    'The value of `a_b` &lt;i&gt;.'
    """
    parts = visible_line(text, 2_000).split("`")
    if len(parts) % 2 == 0 or not all(part.strip() for part in parts[1::2]):
        return escaped_line(text, 2_000)
    return "".join(f"`{part}`" if i % 2 else _escape_line(part) if part else "" for i, part in enumerate(parts))


def fenced(code: str, language: str = "") -> str:
    """A block of code, in a fence that no line of the code can close."""
    code = visible(code)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
    return f"{fence}{language}\n{code.rstrip()}\n{fence}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers_from: int = 1) -> str:
    """A table of cells that are Markdown already.

    Args:
        numbers_from: the columns from this one on are numbers, and stand to the right.
    """
    rule = ["---:" if column >= numbers_from else "---" for column in range(len(head))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def link(text: str, address: str) -> str:
    """A link, to an address that is known to be one of the web."""
    return f"[{escaped_line(text)}](<{quote(address, safe=_OF_ADDRESSES)}>)"


def _escape_line(line: str) -> str:
    line = re.sub("[&<>]", lambda match: _ENTITIES[match[0]], _SIGNS.sub(r"\\\g<0>", line))
    if match := _BLOCK_SIGN.match(line):
        end = match.end()
        return f"{line[:end]}\\{line[end:]}" if match[0].isdigit() else f"\\{line}"
    return line
