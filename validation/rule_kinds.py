"""What a rule is: a measure of a column, what it is held against, and how that reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pyarrow as pa

from groupstream.commands.printing import cut, one_line

_SHOWN_CHARACTERS = 60


class RuleKind(NamedTuple):
    """One sort of limit.

    Attributes:
        measure: of what is looked at (a column, a block of texts) and the limit; the values, nulls where there is none.
        passes: of the measured values and the limit; bool[num_examples], null where there was nothing to measure.
        words: the limit as people read it.
    """

    measure: Callable[..., Any]
    passes: Callable[[pa.Array, Any], pa.Array]
    words: Callable[[Any], str]


def least(limit: float) -> str:
    """The words of a lower bound."""
    return f"at least {number(limit, ',')}"


def most(limit: float) -> str:
    """The words of an upper bound."""
    return f"at most {number(limit, ',')}"


def number(value: float, grouping: str = "") -> str:
    """A number without digits that say nothing.

    >>> number(2.0), number(0.35), number(2**62), number(12_345_678.0, ",")
    ('2', '0.35', '4611686018427387904', '12,345,678')
    """
    return format(int(value), grouping) if value == int(value) and abs(value) < 1 << 63 else repr(value)


def short(text: str) -> str:
    r"""A text of a spec in one short line.

    >>> short("a\nb" + "c" * 100)
    'a\\nbcccccccccccccccccccccccccccccccccccccccccccccccccccccccc ...'
    """
    return cut(one_line(text[: _SHOWN_CHARACTERS + 1]), _SHOWN_CHARACTERS)
