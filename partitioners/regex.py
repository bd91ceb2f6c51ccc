"""By a part of a text, which a regular expression finds."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ConfigDict, Field, field_validator

from partitioners.keys import as_text, key_bytes
from partitioners.partitioner import ExampleIds, RulePartitioner
from partitioners.words import quoted


class ByRegex(RulePartitioner):
    r"""One group for each text that the first group in parentheses of a pattern captures.

    `^([a-z]+)-\d` makes the group "mail" of "mail-17". Where the pattern is not found, or captures nothing, the
    example has no group. The pattern is looked for anywhere in the value; begin it with ^ to bind it to the start.

    Source: the regular expressions are those of RE2, whose time grows with the length of a text only (Cox 2007,
    "Regular Expression Matching Can Be Simple And Fast"): no pattern of a spec can hold up a worker. It has no
    look-around and no back-references. Bytes that are no UTF-8 have no group.
    """

    model_config = ConfigDict(title="Regex")

    kind: Literal["regex"] = "regex"
    feature: str = Field(description="The feature whose value is searched.")
    pattern: str = Field(
        min_length=1, description=r"An RE2 regular expression whose first (...) is the group id, such as ^([a-z]+)-\d."
    )

    @field_validator("pattern")
    @classmethod
    def _is_a_pattern(cls, pattern: str) -> str:
        named = _with_one_name(pattern)
        try:
            pc.extract_regex(pa.array([], pa.string()), named)
        except pa.ArrowInvalid as error:
            reason = str(error).removeprefix("Invalid regular expression: ").removesuffix(f": {named}")
            raise ValueError(f"it is refused by RE2: {reason}. Correct it as RE2's syntax asks") from error
        return pattern

    @property
    def in_words(self) -> str:
        """See `Partitioner.in_words`."""
        return f"One group for each text that {quoted(self.pattern)} captures in {quoted(self.feature)}."

    @property
    def reads(self) -> frozenset[str]:
        """See `Partitioner.reads`."""
        return frozenset([self.feature])

    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        """See `Rule.assign`."""
        coded = key_bytes(batch.column(self.feature), self.feature).dictionary_encode()
        found = pc.extract_regex(as_text(coded.dictionary), self._named_pattern)
        keys = pc.if_else(found.is_valid(), found.field(0), None)
        return keys.cast(pa.binary()).take(coded.indices)

    @cached_property
    def _named_pattern(self) -> str:
        return _with_one_name(self.pattern)


# What a parenthesis may stand in without opening a group: \( and \Q(\E, and [(] with an escaped or a leading ].
_TOKEN = re.compile(r"\\Q.*?(?:\\E|$)|\\.|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]|\(\?P?<\w+>|\((?!\?)", re.DOTALL)


def _with_one_name(pattern: str) -> str:
    r"""The same pattern, where the first group that captures is the only one that does, and has a name.

    >>> print(_with_one_name(r"\((a|b)[(](c)"))
    \((?P<key>a|b)[(](?:c)

    Raises:
        ValueError: no group captures.
    """
    opened = 0

    def name(token: re.Match[str]) -> str:
        nonlocal opened
        if not token[0].startswith("("):
            return token[0]
        opened += 1
        return "(?P<key>" if opened == 1 else "(?:"

    named = _TOKEN.sub(name, pattern)
    if not opened:
        raise ValueError("it captures nothing; put parentheses around the part that is the group id")
    return named
