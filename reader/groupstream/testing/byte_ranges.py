"""Answers to the header Range."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from groupstream.testing.faulty_server import Reply


def cut_out(size: int, read: Callable[[int, int], bytes], wanted: str | None, headers: Mapping[str, str]) -> Reply:
    """The answer to a GET with the header Range, or without one: the whole of it, a part, or 416.

    Args:
        size: of the whole, in bytes.
        read: gives its bytes from a position to another one.
        wanted: the header.
        headers: of the answer.
    """
    if not wanted:
        return Reply(200, read(0, size), headers)
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1, size) if first and last else size
    if start >= size or end <= start:
        return Reply(416, b"", {"Content-Range": f"bytes */{size}"})
    return Reply(206, read(start, end), {**headers, "Content-Range": f"bytes {start}-{end - 1}/{size}"})
