"""Which groups: by size and by id."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import index as as_int

import numpy as np

from groupstream.errors import UsageError
from groupstream.group_rows import GroupRows
from groupstream.index import GroupIndex


@dataclass(frozen=True)
class Selection:
    """What a group must be to pass.

    Attributes:
        min_examples: at least so many examples; 0 lets all pass.
        max_examples: at most so many; None lets all pass.
        group_ids: one of these, sorted; None lets all pass.
    """

    min_examples: int = 0
    max_examples: int | None = None
    group_ids: tuple[bytes, ...] | None = None

    @classmethod
    def of(
        cls, min_examples: int | None, max_examples: int | None, group_ids: Sequence[bytes | str] | None
    ) -> Selection:
        """From what a person gives; None is no condition."""
        ids = None if group_ids is None else tuple(sorted(set(as_ids(group_ids))))
        return cls(as_int(min_examples or 0), None if max_examples is None else as_int(max_examples), ids)

    def __bool__(self) -> bool:
        """Whether there is any condition."""
        return self != EVERYTHING

    def __and__(self, other: Selection) -> Selection:
        bounds = [s.max_examples for s in (self, other) if s.max_examples is not None]
        sets = [set(s.group_ids) for s in (self, other) if s.group_ids is not None]
        return Selection(
            max(self.min_examples, other.min_examples),
            min(bounds) if bounds else None,
            tuple(sorted(set.intersection(*sets))) if sets else None,
        )

    def apply(self, rows: GroupRows) -> GroupRows:
        """The rows that pass the bounds of sizes."""
        passing = self._pass(rows.num_examples)
        return rows if passing.all() else rows.take(np.flatnonzero(passing))

    def rows(self, index: GroupIndex) -> np.ndarray:
        """The numbers of the rows that pass, ascending. Reads the sizes of all groups, or looks the ids up."""
        sizes = index.column("num_examples")
        if self.group_ids is None:
            found = np.flatnonzero(self._pass(sizes))
        else:
            found = np.sort(index.find(self.group_ids))
            found = found[found >= 0]
            found = found[self._pass(sizes[found])]
        return found.astype(np.uint32 if len(sizes) < 1 << 32 else np.int64)

    def fingerprint(self) -> str:
        """A short text that two selections share only if they are equal."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16] if self else ""

    def _pass(self, sizes: np.ndarray) -> np.ndarray:
        passing = sizes >= self.min_examples
        return passing if self.max_examples is None else passing & (sizes <= self.max_examples)


EVERYTHING = Selection()


def as_id(group_id: bytes | str) -> bytes:
    """A group id as it is stored.

    Raises:
        UsageError: neither bytes nor text.
    """
    if isinstance(group_id, str):
        return group_id.encode(errors="surrogatepass")
    if not isinstance(group_id, bytes):
        raise UsageError(f"a group id is bytes or text, {group_id!r} is neither")
    return group_id


def as_ids(group_ids: Iterable[bytes | str]) -> list[bytes]:
    """Several of them.

    Raises:
        UsageError: one alone, whose letters would be taken for ids; or an id that is neither bytes nor text.
    """
    if isinstance(group_ids, bytes | str):
        raise UsageError(f"group ids are given as a list of them; this is one, {group_ids!r}")
    return [as_id(group_id) for group_id in group_ids]


def shown_id(group_id: bytes) -> str:
    r"""A group id in quotes, for a message.

    >>> print(shown_id("Łukasz".encode()), shown_id(b"\xff"))
    'Łukasz' b'\xff'
    """
    try:
        return repr(group_id.decode())
    except UnicodeDecodeError:
        return repr(group_id)
