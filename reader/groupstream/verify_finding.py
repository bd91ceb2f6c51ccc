"""What a check of the files of a version found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from groupstream.commands.printing import counted, cut, one_line
from groupstream.manifest import CheckResult

MAX_OFFENDERS = 5

_NAME_CHARACTERS = 80
_DETAIL_CHARACTERS = 160


class Fault(NamedTuple):
    """One thing that is not as it was written.

    Attributes:
        offender: the file or the group, and what is wrong with it. It names no place outside the version.
        message: of the error that says so, with the place and the way out.
    """

    offender: str
    message: str


class Finding:
    """What one check found.

    Args:
        name: of the check.
        limit: what must hold.

    Attributes:
        seen: how much was looked at.
        faults: the first five.
        num_faults: all that were found.
    """

    def __init__(self, name: str, limit: str) -> None:
        self.name = name
        self.limit = limit
        self.seen = ""
        self.faults: list[Fault] = []
        self.num_faults = 0
        self.is_stopped = False

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.num_faults

    @property
    def is_full(self) -> bool:
        """Whether no further fault would be shown."""
        return len(self.faults) >= MAX_OFFENDERS

    def add(self, offender: str, detail: str, message: str) -> None:
        """Notes a fault.

        Args:
            offender: the name of a file or group.
        """
        self.add_all([Fault(f"{offender}: {cut(one_line(detail), _DETAIL_CHARACTERS)}", message)])

    def add_all(self, faults: Sequence[Fault], num_faults: int | None = None) -> None:
        """Notes faults.

        Args:
            num_faults: how many there are, where only the first are given.
        """
        self.num_faults += len(faults) if num_faults is None else num_faults
        self.faults += faults[: MAX_OFFENDERS - len(self.faults)]

    def stop(self) -> None:
        """Says that there was more to look at."""
        self.is_stopped = True

    def result(self) -> CheckResult:
        """The same, as it is kept."""
        faults = f": {counted(self.num_faults, 'fault')}" if self.num_faults else ""
        return CheckResult(
            kind="files",
            name=self.name,
            limit=self.limit,
            observed=self.seen + faults + (", then it stopped" if self.is_stopped else ""),
            passed=self.passed,
            offenders=tuple(fault.offender for fault in self.faults),
        )


def name_of(text: str | bytes) -> str:
    r"""A path or a group id: short, on one line, in valid UTF-8.

    >>> print(name_of(b"a\n\xff"))
    a\n\xff
    """
    return cut(one_line(text[: 4 * _NAME_CHARACTERS]), _NAME_CHARACTERS)


def group_name(group_id: bytes, split: str) -> str:
    """A group, as an offender."""
    return f"group '{name_of(group_id)}' of {name_of(split)}"
