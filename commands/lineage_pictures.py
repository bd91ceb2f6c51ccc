"""A lineage as a tree for a terminal, and as a diagram for Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rich.text import Text
from rich.tree import Tree

from groupstream.commands.printing import counted, cut, format_bytes, one_line

if TYPE_CHECKING:
    from lifecycle.lineage import Reader, Relative, VersionLineage
    from registry.records import RunRecord

_MAX_CHARACTERS = 200  # of what others wrote


def tree_of(found: VersionLineage) -> Tree:
    """The version, with a branch for each thing that is known."""
    tree = Tree(_label(f"{found.ref}, {found.state}, in {found.root}"))
    if found.built_by is not None:
        tree.add(_label(f"built by {_run_in_words(found.built_by)}"))
    elif found.run is not None:
        tree.add(_label(f"built by run {found.run}"))
    _add_relatives(tree, "partitioned anew from", found.parents)
    _add_relatives(tree, "partitioned anew into", found.children)
    _add(tree, "read by", map(_run_in_words, found.used_by))
    _add(tree, "pulled by", map(_reader_in_words, found.pulled_by))
    return tree


def mermaid_of(found: VersionLineage) -> str:
    """A flowchart from the oldest parent to what came of the version last."""
    lines = ["flowchart LR", f'  v["{_quoted(found.ref)}"]:::this', "  classDef this stroke-width:3px"]
    lines += _edges(found.parents, "v", "p", towards=True)
    lines += _edges(found.children, "v", "c", towards=False)
    for i, run in enumerate(found.used_by):
        lines.append(f'  v --> r{i}(["{_quoted(f"{run.kind} of {run.dataset}, run {run.id[:8]}")}"])')
    for i, reader in enumerate(found.pulled_by):
        lines.append(f'  v -.-> u{i}(["{_quoted(f"pulled by {reader.by}")}"])')
    return "\n".join(lines)


def _edges(relatives: Iterable[Relative], version: str, prefix: str, towards: bool) -> Iterator[str]:
    for i, one in enumerate(relatives):
        node = f"{prefix}{i}"
        yield f'  {node}["{_quoted(one.ref)}"]'
        yield f"  {node} --> {version}" if towards else f"  {version} --> {node}"
        yield from _edges(one.beyond, node, f"{node}_", towards)


def _quoted(text: str) -> str:
    """Text for a label in quotes: nothing in it is a mark of Mermaid or of HTML."""
    marks = {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;"}
    return "".join(marks.get(character, character) for character in _shown(text))


def _add(tree: Tree, title: str, lines: Iterable[str]) -> None:
    labels = [_label(line) for line in lines]
    if labels:
        branch = tree.add(title)
        for label in labels:
            branch.add(label)


def _add_relatives(tree: Tree, title: str, relatives: Iterable[Relative]) -> None:
    found = list(relatives)
    if found:
        _add_below(tree.add(title), found)


def _add_below(branch: Tree, relatives: Iterable[Relative]) -> None:
    for one in relatives:
        where = f"{one.state or 'published'}, in {one.root}" if one.root else "not in the registry"
        _add_below(branch.add(_label(f"{one.ref}, {where}")), one.beyond)


def _run_in_words(run: RunRecord) -> str:
    page = f", {run.prefect_url}" if run.prefect_url else ""
    return f"run {run.id} ({run.kind} of {run.dataset}, {run.state}, {run.started_at:%Y-%m-%d %H:%M}){page}"


def _reader_in_words(reader: Reader) -> str:
    size = format_bytes(reader.num_bytes)
    return f"{reader.by}: {counted(reader.num_pulls, 'time')}, {size}, last {reader.last_at:%Y-%m-%d %H:%M}"


def _label(text: str) -> Text:
    return Text(_shown(text), overflow="fold")


def _shown(text: str) -> str:
    return cut(one_line(text), _MAX_CHARACTERS)
