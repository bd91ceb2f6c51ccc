"""What drift checks found, as a person reads it."""

from __future__ import annotations

import math
from typing import Any

from groupstream.commands.printing import cut, one_line
from groupstream.differences import Change
from groupstream.label_differences import LabelChange, LabelDifferences

_NAME_CHARACTERS = 60
_DIGITS = (3, 6, 9)


def as_figure(value: float, limit: float) -> str:
    """A number in as few digits as tell on which side of its limit it is.

    >>> as_figure(0.12345, 0.1), as_figure(0.1000001, 0.1), as_figure(float("inf"), 0.1)
    ('0.123', '0.1000001', 'none before')
    """
    if math.isinf(value):
        return "none before"
    shown = (f"{value:.{digits}g}" for digits in _DIGITS)
    return next((text for text in shown if (float(text) > limit) == (value > limit)), repr(value))


def as_percentage(share: float) -> str:
    """A share of a whole in three digits, however small.

    >>> as_percentage(0.125), as_percentage(0.000831), as_percentage(0)
    ('12.5 %', '0.0831 %', '0 %')
    """
    return f"{100 * share:.3g} %"


def change_in_words(change: Change, group_id: bytes) -> str:
    """One group that is new, gone or of another size.

    >>> change_in_words(Change(size=2, is_after=True, position=0, before=3, after=1), b"a")
    "'a' had 3 examples, now 1"
    """
    if not change.before:
        return f"{quoted(group_id)} is new with {_examples(change.after)}"
    if not change.after:
        return f"{quoted(group_id)} is gone with {_examples(change.before)}"
    return f"{quoted(group_id)} had {_examples(change.before)}, now {change.after:,}"


def label_in_words(change: LabelChange, found: LabelDifferences) -> str:
    """One label whose share changed.

    >>> label_in_words(LabelChange(b"x", before=1, after=0), LabelDifferences(0.1, 10, 0, ()))
    "'x' had 10 % of the labels, now 0 %"
    """
    before, now = change.before / max(found.num_before, 1), change.after / max(found.num_after, 1)
    return f"{quoted(change.label)} had {as_percentage(before)} of the labels, now {as_percentage(now)}"


def feature_in_words(kind: str, name: str, value: Any) -> str:
    """One feature that was added, removed or changed; of one that changed, what differs.

    >>> feature_in_words("changed", "x", [{"dtype": "int64", "shape": []}, {"dtype": "string", "shape": []}])
    "changed: 'x' had dtype int64, now string"
    """
    if kind != "changed":
        return f"{kind}: {quoted(name)}"
    old, new = value
    differing = [f"{key} {_short(old[key])}, now {_short(new[key])}" for key in old if old[key] != new[key]]
    return f"{kind}: {quoted(name)} had {'; '.join(differing)}"


def quoted(text: str | bytes) -> str:
    r"""A name on one line, with what cannot be shown as escapes, cut where it is long.

    >>> quoted(b"a\n\xff")
    "'a\\n\\xff'"
    """
    return f"'{cut(one_line(text[: 8 * _NAME_CHARACTERS]), _NAME_CHARACTERS)}'"


def _short(value: Any) -> str:
    return cut(one_line(str(value)), _NAME_CHARACTERS // 2)


def _examples(count: int) -> str:
    return f"{count:,} example{'s' * (count != 1)}"
