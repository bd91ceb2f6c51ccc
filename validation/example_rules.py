"""The rules that a spec asks for, and what each column measures for them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from validation.comparisons import holds
from validation.example_check import ExampleCheck, ImageRules, TextRules
from validation.image_rules import IMAGE_RULES, shapes_of
from validation.rule_kinds import RuleKind, number, short
from validation.text_measures import measure_texts
from validation.text_rules import TEXT_RULES
from validation.value_rules import VALUE_RULES


@dataclass(frozen=True)
class Rule:
    """One limit of one feature.

    Attributes:
        family: "value", "text" or "image".
        name: of the field, such as "min_length".
        limit: its value; True where the field only says that something is asked.
    """

    family: str
    name: str
    limit: Any

    @property
    def kind(self) -> RuleKind:
        """What is measured, and what it is held against."""
        return _FAMILIES[self.family][self.name]

    @property
    def limit_in_words(self) -> str:
        """As "at least 1"."""
        return self.kind.words(self.limit)

    @property
    def reason(self) -> str:
        """Of an example that breaks it, as "min_length 1"."""
        if self.limit is True or self.name == "allowed":
            return _BROKEN.get(self.name, self.name)
        if isinstance(self.limit, tuple):
            return f"{self.name} {' or '.join(map(str, self.limit))}"
        return f"{self.name} {short(self.limit) if isinstance(self.limit, str) else number(self.limit)}"

    def passes(self, measured: pa.Array) -> pa.Array:
        """bool[num_examples], without nulls: where there is nothing to measure, nothing is broken."""
        return pc.fill_null(self.kind.passes(measured, self.limit), True)


_BROKEN = {  # what an example is said to be where the name of the field tells what it should be
    "finite": "not finite",
    "allowed": "not among the allowed values",
    "valid_utf8": "not valid UTF-8",
    "decodes": "cannot be decoded",
}
_FAMILIES = {"value": VALUE_RULES, "text": TEXT_RULES, "image": IMAGE_RULES}


@functools.lru_cache(maxsize=256)
def rules_of(check: ExampleCheck) -> tuple[Rule, ...]:
    """What is asked of a feature, in the order in which an example is asked. Its dtype and shape are no rules."""
    return tuple(_rules_of(check))


def _rules_of(check: ExampleCheck) -> Iterator[Rule]:
    if not check.nullable:
        yield Rule("value", "null", True)
    yield from (Rule("value", name, limit) for name, limit in _limits(check, VALUE_RULES))
    if check.text is not None:
        yield from (Rule("text", name, limit) for name, limit in _limits(check.text, TEXT_RULES))
    if check.image is not None:
        yield Rule("image", "decodes", True)
        yield from (Rule("image", name, limit) for name, limit in _limits(check.image, IMAGE_RULES))


def _limits(model: ExampleCheck | TextRules | ImageRules, names: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """The limits that are set. Of the switches, a text rule is set where it is off: then something is not allowed."""
    for name in names:
        limit = getattr(model, name, None)
        if isinstance(limit, bool):
            if limit != isinstance(model, TextRules):
                yield name, True
        elif limit is not None:
            yield name, limit


def measure(checks: Mapping[str, ExampleCheck], batch: pa.RecordBatch) -> dict[tuple[str, Rule], pa.Array]:
    """What is measured for each rule of each feature, in the order in which an example is asked."""
    measured: dict[tuple[str, Rule], pa.Array] = {}
    for name, check in checks.items():
        for rule, values in _measure_column(batch.column(name), rules_of(check)):
            measured[name, rule] = values
    return measured


def _measure_column(column: pa.Array, rules: tuple[Rule, ...]) -> Iterator[tuple[Rule, pa.Array]]:
    of_family = {family: [rule for rule in rules if rule.family == family] for family in _FAMILIES}
    measured: dict[Any, pa.Array] = {}  # min_length and max_length measure the same
    for rule in of_family["value"]:
        key = rule.kind.measure, rule.limit if rule.kind.passes is holds else None
        if key not in measured:
            measured[key] = rule.kind.measure(column, rule.limit)
        yield rule, measured[key]
    if asked := of_family["text"]:
        found = measure_texts(column, {rule.name: (rule.kind.measure, rule.limit) for rule in asked})
        yield from ((rule, found[rule.name]) for rule in asked)
    if asked := of_family["image"]:
        shapes = shapes_of(column)
        yield from ((rule, rule.kind.measure(shapes, rule.limit)) for rule in asked)
