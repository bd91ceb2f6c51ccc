"""Errors that workers raised, out of the text that runners make of them."""

from __future__ import annotations

import re

from groupstream import GroupstreamError, errors

_ERROR = re.compile(r"groupstream\.errors\.(\w+): (.+?)(?: \[while running '[^']*'\])?$", re.MULTILINE)


def error_of_ours(text: str) -> GroupstreamError | None:
    """The error of groupstream in a traceback, if there is one.

    >>> error_of_ours("RuntimeError: groupstream.errors.CorruptError: x is short [while running 'Read']")
    CorruptError('x is short')
    """
    found = [(getattr(errors, kind, None), message) for kind, message in _ERROR.findall(text)]
    ours = [kind(message) for kind, message in found if kind]
    return ours[-1] if ours else None  # the last line of a traceback is the error itself


def interruption_in(error: BaseException) -> BaseException | None:
    """What ended the work from outside, as SIGTERM or Ctrl-C do: a runner may make an ordinary error of it.

    >>> try:
    ...     try:
    ...         raise KeyboardInterrupt
    ...     except BaseException:
    ...         raise RuntimeError("KeyboardInterrupt [while running 'Read']")
    ... except RuntimeError as error:
    ...     interruption_in(error)
    KeyboardInterrupt()
    """
    found: BaseException | None = error
    while found is not None:
        if not isinstance(found, Exception | GeneratorExit):
            return found
        found = found.__cause__ or found.__context__
    return None


def text_of(error: BaseException) -> str:
    """An error as a traceback ends."""
    return f"{type(error).__module__}.{type(error).__name__}: {error}"


def last_line(text: str) -> str:
    """The last line of a traceback, which says what happened; at most 500 characters."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no reason given")[:500]
