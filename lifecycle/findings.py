"""What the doctor finds: a problem, which may carry what mends it, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from groupstream import GroupstreamError


class Problem(NamedTuple):
    """Something that is not as it should be.

    Attributes:
        kind: which sort of thing; docs/doctor.md has a table of them.
        ref: of the version, or the name of the dataset, or a path in the store.
        wrong: what is wrong, in a few words.
        way_out: what mends it; where `mend` is there, what that does.
        mend: mends it; None where only people can.
        is_note: whether it may be all right, and only somebody should have a look.
    """

    kind: str
    ref: str
    wrong: str
    way_out: str
    mend: Callable[[], object] | None = None
    is_note: bool = False


@dataclass(frozen=True)
class Finding:
    """A problem, and whether it was mended.

    Attributes:
        kind, ref, wrong, way_out, is_note: see `Problem`.
        mended: whether it is gone now.
    """

    kind: str
    ref: str
    wrong: str
    way_out: str
    mended: bool
    is_note: bool = False

    @property
    def remains(self) -> bool:
        """Whether something still has to be done."""
        return not self.mended and not self.is_note


def settle(problem: Problem, *, mend: bool) -> Finding:
    """Mends a problem, if that is wanted and can be done."""
    mended, wrong = False, problem.wrong
    if mend and problem.mend is not None:
        try:
            problem.mend()
            mended = True
        except GroupstreamError as error:
            wrong = f"{wrong}; mending it failed: {error}"
    return Finding(problem.kind, problem.ref, wrong, problem.way_out, mended, problem.is_note)
