"""What a format is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from groupstream.stream import GroupStream

OnBytes = Callable[[int], None]


@dataclass(frozen=True)
class Format:
    """A way to write groups.

    Attributes:
        name: what people type.
        suffix: of its files.
        write: writes the groups of a stream to one file, in bounded memory; calls back with the bytes of the examples
            as they are done.
        check: refuses, with a UsageError, groups that the format cannot hold; reads the index only.
        side_files: what lies beside the files, by name.
    """

    name: str
    suffix: str
    write: Callable[[GroupStream, BinaryIO, OnBytes], None]
    check: Callable[[GroupStream], None] = lambda stream: None
    side_files: Callable[[GroupStream], dict[str, bytes]] = lambda stream: {}
