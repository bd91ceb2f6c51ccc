"""The differences of two versions as a person reads them."""

from __future__ import annotations

import re
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from groupstream.commands.printing import counted, cut, format_bytes, one_line
from groupstream.commands.tables import print_numbers_and_name

_SHOWN_CHARACTERS = 60
_DIGEST = re.compile(r"[0-9a-f]{40,}")
_DIGEST_CHARACTERS = 12  # tell two of them apart
_WORDS = {
    "added": "only after",
    "removed": "only before",
    "grown": "more examples",
    "shrunk": "fewer examples",
    "rewritten": "as many examples, other bytes",
    "kept": "the same size",
}


def print_differences(found: dict[str, Any]) -> None:
    """One part a question: which features, which settings, then each split."""
    console = Console()
    console.print(Text(f"{found['before']} -> {found['after']}", "bold"))
    if not found["differ"]:
        console.print("no difference: the same features, settings and bytes")
        return
    for what in ("features", "settings"):
        _print_changes(console, what, found[what])
    for name, split in found["splits"].items():
        _print_split(console, name, split)


def _print_changes(console: Console, what: str, changes: dict[str, Any]) -> None:
    console.print()
    console.print(Text(what, "bold"), Text("" if any(changes.values()) else "are the same"))
    table = Table.grid(padding=(0, 2, 0, 0))
    for sign, style, part in (("+", "green", "added"), ("-", "red", "removed")):
        for key, value in changes[part].items():
            table.add_row(Text(sign, style), Text(one_line(key)), Text(_short(value), overflow="fold"))
    for key, (old, new) in changes["changed"].items():
        values = f"{_short(_rest(old, new))} -> {_short(_rest(new, old))}"
        table.add_row(Text("~", "yellow"), Text(one_line(key)), Text(values, overflow="fold"))
    if table.row_count:
        console.print(table)


def _rest(value: Any, other: Any) -> Any:
    """Of two features, only what differs."""
    if not isinstance(value, dict) or not isinstance(other, dict):
        return value
    return {key: inner for key, inner in value.items() if inner != other.get(key)}


def _short(value: Any) -> str:
    if isinstance(value, dict):
        text = " ".join(f"{k}={v}" for k, v in value.items() if v not in (None, False, []))
    else:
        text = str(value)
    return cut(one_line(text), _DIGEST_CHARACTERS if _DIGEST.fullmatch(text) else _SHOWN_CHARACTERS)


def _print_split(console: Console, name: str, split: dict[str, Any]) -> None:
    console.print()
    for side, other in (("before", "after"), ("after", "before")):
        if split[side] is None:
            groups = counted(split[other]["num_groups"], "group")
            console.print(Text.assemble((f"split {one_line(name)}", "bold"), f" only {other}: {groups}"))
            return
    if split["same_bytes"]:
        console.print(Text.assemble((f"split {one_line(name)}", "bold"), " has the same bytes"))
        _print_labels(console, split.get("labels"))
        return
    console.print(Text(f"split {one_line(name)}", "bold"))
    console.print(_sizes_table(split["before"], split["after"]))
    console.print()
    console.print(_groups_table(split["groups"]))
    if split["largest_changes"]:
        console.print()
        _print_largest(split["largest_changes"])
    _print_labels(console, split.get("labels"))


def _sizes_table(before: dict[str, Any], after: dict[str, Any]) -> Table:
    table = _numbers_table("", "before", "after", "change")
    for unit in ("groups", "examples", "bytes", "words"):
        old, new = before[f"num_{unit}"], after[f"num_{unit}"]
        shown = format_bytes if unit == "bytes" else "{:,}".format
        table.add_row(unit, shown(old), shown(new), _signed(new - old, shown))
    for key, words in (("p10", "10 %"), ("p50", "50 %"), ("p90", "90 %"), ("max", "largest")):
        old, new = before["group_sizes"][key], after["group_sizes"][key]
        table.add_row(f"group size, {words}", f"{old:,}", f"{new:,}", _signed(new - old, "{:,}".format))
    return table


def _signed(change: float, shown: Any) -> Text:
    if not change:
        return Text("")
    return Text(f"+{shown(change)}", "green") if change > 0 else Text(f"-{shown(-change)}", "red")


def _groups_table(groups: dict[str, int]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right")
    for name, count in groups.items():
        table.add_row(f"{count:,}", f"{name}", Text(_WORDS[name], "dim"))
    return table


def _print_largest(changes: list[dict[str, Any]]) -> None:
    rows = []
    for change in changes:
        old, new = change["examples_before"], change["examples_after"]
        rows.append((f"{old:,}", f"{new:,}", _signed(new - old, "{:,}".format), one_line(change["group_id"])))
    print_numbers_and_name(("before", "after", "change", "largest changes"), rows)


def _print_labels(console: Console, labels: dict[str, Any] | None) -> None:
    """Nothing, where the labels of all examples are the same."""
    if labels is None or not labels["distance"]:
        return
    console.print()
    console.print(f"labels of all examples: a total variation distance of {labels['distance']:.3g}", highlight=False)
    rows = []
    for change in labels["largest_changes"]:
        old, new = change["share_before"], change["share_after"]
        rows.append((f"{old:.2%}", f"{new:.2%}", _signed(new - old, "{:.2%}".format), one_line(change["label"])))
    print_numbers_and_name(("before", "after", "change", "labels that moved most"), rows)


def _numbers_table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    return table
