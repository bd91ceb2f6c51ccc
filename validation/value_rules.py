"""Rules for any feature: missing, too long, too large, not among those that are allowed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from validation.comparisons import at_least, at_most, holds
from validation.rule_kinds import RuleKind, least, most, short

# A byte at a time, since the pattern is of bytes: RFC 3629, section 4.
_UTF8 = (
    r"\A(?:[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}"
    r"|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})*\z"
)


def is_there(column: pa.Array, limit: Any) -> pa.Array:
    """Whether each value is not null."""
    return column.is_valid()


def lengths(column: pa.Array, limit: Any) -> pa.Array:
    """Characters of a text, bytes of what is no text, items of a list."""
    if pa.types.is_list(column.type):
        return pc.list_value_length(column)
    return pc.utf8_length(column) if pa.types.is_string(column.type) else pc.binary_length(column)


def values(column: pa.Array, limit: Any) -> pa.Array:
    """The numbers themselves."""
    return column


def all_finite(column: pa.Array, limit: Any) -> pa.Array:
    """Whether there is neither NaN nor an infinity in each value: a number, a list or a tensor."""
    inner = column.storage if isinstance(column, pa.ExtensionArray) else column
    if not pa.types.is_nested(inner.type):
        return pc.is_finite(inner)
    rows = pa.array(np.arange(len(column)))
    parents = rows
    while pa.types.is_nested(inner.type):
        parents, inner = parents.take(pc.list_parent_indices(inner)), inner.flatten()
    return pc.invert(pc.is_in(rows, parents.filter(pc.invert(pc.is_finite(inner)))))


def is_allowed(column: pa.Array, limit: tuple[str | int, ...]) -> pa.Array:
    """Whether each value is one of those."""
    kind = pa.int64() if pa.types.is_integer(column.type) else pa.binary()
    found = pc.is_in(column.cast(kind), pa.array(limit, kind))
    return pc.if_else(column.is_valid(), found, pa.scalar(None, pa.bool_()))


def is_found(column: pa.Array, limit: str) -> pa.Array:
    """Whether the pattern is found in each text."""
    return pc.match_substring_regex(column, limit)


def is_not_found(column: pa.Array, limit: str) -> pa.Array:
    """Whether the pattern is found nowhere in each text."""
    return pc.invert(is_found(column, limit))


def is_utf8(column: pa.Array, limit: Any) -> pa.Array:
    """Whether the bytes of each value are valid UTF-8."""
    try:
        column.cast(pa.string())
    except pa.ArrowInvalid:
        return pc.match_substring_regex(column.cast(pa.binary()), _UTF8)
    return pc.or_kleene(column.is_valid(), pa.scalar(None, pa.bool_()))


def _one_of(limit: tuple[str | int, ...]) -> str:
    return short(f"one of {', '.join(map(str, limit[:20]))}" + (", ..." if len(limit) > 20 else ""))


VALUE_RULES: dict[str, RuleKind] = {  # in the order in which an example is asked
    "null": RuleKind(is_there, holds, lambda limit: "none"),
    "min_length": RuleKind(lengths, at_least, least),
    "max_length": RuleKind(lengths, at_most, most),
    "min_value": RuleKind(values, at_least, least),
    "max_value": RuleKind(values, at_most, most),
    "finite": RuleKind(all_finite, holds, lambda limit: "no NaN, no infinity"),
    "allowed": RuleKind(is_allowed, holds, _one_of),
    "pattern": RuleKind(is_found, holds, lambda limit: short(f"found: {limit}")),
    "forbidden_pattern": RuleKind(is_not_found, holds, lambda limit: short(f"not found: {limit}")),
    "valid_utf8": RuleKind(is_utf8, holds, lambda limit: "valid UTF-8"),
}
