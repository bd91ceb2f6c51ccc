"""What is different from the version before."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cards.label_part import label_name
from cards.room import fitting
from cards.text import format_bytes, format_number_of, format_short_count, visible_line

_CHANGES_BYTES = 30_000
_MAX_SPLITS = 6
_GROUP_WORDS = ("added", "removed", "grown", "shrunk", "rewritten", "kept")
_SIZES = {"num_groups": "groups", "num_examples": "examples", "num_bytes": "data", "num_words": "words"}


@dataclass(frozen=True)
class ChangeRow:
    """What something was and is, and the difference with its sign."""

    name: str
    before: str
    after: str
    change: str


@dataclass(frozen=True)
class SplitChanges:
    """What is different in a split.

    Attributes:
        summary: what its groups did, in words.
        sizes: before and after.
        largest: the groups that changed most.
        labels: the labels whose shares changed most.
        label_summary: how far the labels are apart.
    """

    name: str
    summary: str
    sizes: Sequence[ChangeRow] = ()
    largest: Sequence[ChangeRow] = ()
    labels: Sequence[ChangeRow] = ()
    label_summary: str = ""


@dataclass(frozen=True)
class ChangePart:
    """What is different.

    Attributes:
        before: the ref of the version before.
        summary: one line.
        features, settings: each as (sign, name, what it was and is); + is new, - is gone, ~ has changed.
        more: how many of these are not shown, in words.
        splits: the largest of those that both have, in other bytes.
        other: what became of the other splits, in words, by name.
    """

    before: str
    summary: str
    features: Sequence[tuple[str, str, str]]
    settings: Sequence[tuple[str, str, str]]
    more: str
    splits: Sequence[SplitChanges]
    other: Sequence[tuple[str, str]]


def change_part(differences: Mapping[str, Any], label_names: Sequence[str] | None) -> ChangePart:
    """What the card says about the differences.

    Args:
        differences: as `version_differences` gives them.
        label_names: of the classes, where labels are class indices.
    """
    shown, rest = [], 0
    for what in ("features", "settings"):
        changes = differences[what]
        found = fitting(_changes(changes), sum(map(len, changes.values())), _with_markup, _CHANGES_BYTES)
        shown.append(found.shown)
        rest += found.rest
    splits = [_split_changes(name, split, label_names) for name, split in differences["splits"].items()]
    shown_splits = [split for split in splits if split.sizes][:_MAX_SPLITS]
    other = [(split.name, split.summary) for split in splits if split not in shown_splits]
    others = fitting(other, len(other), _with_markup, _CHANGES_BYTES)
    rest += others.rest
    return ChangePart(
        before=visible_line(differences["before"]),
        summary=_summary(differences),
        features=shown[0],
        settings=shown[1],
        more=f"and {format_number_of(rest, 'more change')}" if rest else "",
        splits=shown_splits,
        other=others.shown,
    )


def _with_markup(row: tuple[str, ...]) -> tuple[str, ...]:
    return (*row, " " * 150)


def _summary(differences: Mapping[str, Any]) -> str:
    if not differences["differ"]:
        return "The same features, settings and bytes."
    before, after = (_total(differences["splits"], side) for side in ("before", "after"))
    change = _signed(after - before, format_short_count) or "no change"
    return f"{format_short_count(before)} examples before, {format_short_count(after)} now ({change})."


def _total(splits: Mapping[str, Any], side: str) -> int:
    return sum(split[side]["num_examples"] for split in splits.values() if split[side] is not None)


def _changes(changes: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for sign, part in (("+", "added"), ("-", "removed")):
        for name, value in sorted(changes[part].items()):
            yield sign, visible_line(name), _short(value)
    for name, (old, new) in sorted(changes["changed"].items()):
        yield "~", visible_line(name), f"{_short(_rest(old, new))} → {_short(_rest(new, old))}"


def _rest(value: Any, other: Any) -> Any:
    """Of two features, only what differs."""
    if not isinstance(value, Mapping) or not isinstance(other, Mapping):
        return value
    return {key: inner for key, inner in value.items() if inner != other.get(key)}


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        kept = {k: v for k, v in sorted(value.items()) if v not in (None, False, [], {})}
        return visible_line(", ".join(f"{k} {_short(v)}" for k, v in kept.items()) or "nothing", 120)
    return visible_line(value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str), 60)


def _split_changes(name: str, found: Mapping[str, Any], label_names: Sequence[str] | None) -> SplitChanges:
    before, after, shown = found["before"], found["after"], visible_line(name)
    if before is None or after is None:
        side, groups = ("new", after) if before is None else ("gone", before)
        return SplitChanges(shown, f"{side}: {format_number_of(groups['num_groups'], 'group')}")
    if found["same_bytes"]:
        return SplitChanges(shown, "the same bytes")
    labels = found.get("labels")
    return SplitChanges(
        name=shown,
        summary=", ".join(
            f"{format_short_count(found['groups'][word])} {word}" for word in _GROUP_WORDS if found["groups"][word]
        ),
        sizes=_size_rows(before, after),
        largest=[_group_row(change) for change in found["largest_changes"]],
        labels=[_label_row(change, label_names) for change in labels["largest_changes"]] if labels else [],
        label_summary=f"a total variation distance of {labels['distance']:.3g}" if labels else "",
    )


def _size_rows(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[ChangeRow]:
    rows = [
        _row(name, before[key], after[key], format_bytes if name == "data" else format_short_count)
        for key, name in _SIZES.items()
    ]
    old, new = before["group_sizes"], after["group_sizes"]
    rows += [
        _row(n, old[k], new[k], format_short_count) for k, n in (("p50", "median group"), ("max", "largest group"))
    ]
    return [row for row in rows if row.before != "0" or row.after != "0"]


def _row(name: str, before: float, after: float, shown: Any) -> ChangeRow:
    return ChangeRow(name, shown(before), shown(after), _signed(after - before, shown))


def _signed(change: float, shown: Any) -> str:
    if not change:
        return ""
    return f"+{shown(change)}" if change > 0 else f"-{shown(-change)}"


def _group_row(change: Mapping[str, Any]) -> ChangeRow:
    old, new = change["examples_before"], change["examples_after"]
    return _row(visible_line(change["group_id"], 80), old, new, format_short_count)


def _label_row(change: Mapping[str, Any], names: Sequence[str] | None) -> ChangeRow:
    def percent(share: float) -> str:
        return f"{100 * share:.2f} %"

    name = visible_line(label_name(change["label"], names), 80)
    return _row(name, change["share_before"], change["share_after"], percent)
