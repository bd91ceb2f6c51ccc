"""Where examples go: counted on the way, in the same flow as the examples, so exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

NO_GROUP = "no group"
CHECK_PREFIX = "check "  # and the check that the example breaks
MAX_OFFENDERS = 5

Place = tuple[int, int, str]  # index of the piece, row, and both in words


@dataclass(frozen=True)
class Tally:
    """Counts of some examples.

    Attributes:
        examples_in: examples read.
        dropped: by reason, examples left out.
        offenders: by reason, where the first of them stand; at most five.
        nulls: by feature, examples that lack it.
        regrouped: by what was done, groups that were too small or too large.
    """

    examples_in: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    offenders: dict[str, list[Place]] = field(default_factory=dict)
    nulls: Counter[str] = field(default_factory=Counter)
    regrouped: Counter[str] = field(default_factory=Counter)

    def with_dropped(self, reason: str, offenders: Sequence[Place], count: int) -> Tally:
        """The same, and `count` more dropped for `reason`."""
        more = Tally(0, Counter({reason: count}), {reason: list(offenders[:MAX_OFFENDERS])})
        return total([self, more])

    @property
    def num_dropped(self) -> int:
        """Examples left out, for any reason."""
        return self.dropped.total()


def total(tallies: Iterable[Tally]) -> Tally:
    """All of them together. The order does not matter: of the offenders, the first in the source are kept."""
    examples_in, dropped, nulls, regrouped = 0, Counter[str](), Counter[str](), Counter[str]()
    offenders: dict[str, list[Place]] = {}
    for tally in tallies:
        examples_in += tally.examples_in
        dropped.update(tally.dropped)
        nulls.update(tally.nulls)
        regrouped.update(tally.regrouped)
        for reason, places in tally.offenders.items():
            offenders[reason] = sorted({*offenders.get(reason, []), *places})[:MAX_OFFENDERS]
    return Tally(examples_in, dropped, offenders, nulls, regrouped)
