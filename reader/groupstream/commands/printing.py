"""What the commands print: data must neither steer the terminal nor break the JSON."""

from __future__ import annotations

import contextlib
import json
import math
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TextIO

BYTE_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


def visible(text: str) -> str:
    r"""Control characters as escapes; lines stay lines.

    >>> print(visible("a\x1b[31mb"))
    a\x1b[31mb
    """
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def one_line(text: str | bytes) -> str:
    r"""The same for what must stay in its row: lines are escaped too, and bytes that are not UTF-8.

    >>> print(one_line(b"a\n\xff"))
    a\n\xff
    """
    shown = text.decode(errors="backslashreplace") if isinstance(text, bytes) else text
    return visible(shown).replace("\n", r"\n")


def format_bytes(count: int) -> str:
    """Three digits and a unit of a thousand.

    >>> format_bytes(999), format_bytes(123_456), format_bytes(1_300_000_000)
    ('999 bytes', '123 kB', '1.3 GB')
    """
    size, unit = float(count), 0
    while size >= 999.5 and unit + 1 < len(BYTE_UNITS):
        size, unit = size / 1000, unit + 1
    digits = 1 if unit and size < 99.95 else 0
    return f"{size:.{digits}f} {BYTE_UNITS[unit]}"


def cut(text: str, characters: int, ending: str = " ...") -> str:
    """At most so many characters, and then the ending.

    >>> cut("abcdef", 3), cut("abc", 3)
    ('abc ...', 'abc')
    """
    return f"{text[:characters]}{ending}" if len(text) > characters else text


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "group"), counted(2_000, "group")
    ('1 group', '2,000 groups')
    """
    return f"{number:,} {noun}{'s' * (number != 1)}"


@contextlib.contextmanager
def progress_bar(what: str, total: int, in_bytes: bool = False) -> Iterator[Callable[[int], None]]:
    """A bar on stderr while the block runs, where that is a terminal. Gives what to call with each step done.

    Args:
        in_bytes: whether steps are bytes; then it shows how many, and how many a second.
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True)
    of_bytes = TextColumn(what), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    columns = of_bytes if in_bytes else Progress.get_default_columns()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)


@contextlib.contextmanager
def warnings_as_lines() -> Iterator[None]:
    """While the block runs, a deprecated version is one line on stderr, however often it is opened."""
    from groupstream.deprecation import DeprecatedVersionWarning

    said: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", DeprecatedVersionWarning)
        show = warnings.showwarning

        def show_line(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if not issubclass(category, DeprecatedVersionWarning):
                show(message, category, filename, lineno, file, line)
            elif str(message) not in said:
                said.add(str(message))
                print(f"warning: {one_line(str(message))}", file=sys.stderr)

        warnings.showwarning = show_line
        yield


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
