"""The command `groupstream lineage`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from groupstream.commands.options import Json, Ref, Root
from groupstream.commands.printing import to_json

if TYPE_CHECKING:
    from lifecycle.lineage import Relative, VersionLineage
    from registry.records import RunRecord


def register(app: typer.Typer) -> None:
    """Adds the command. Called through the entry point `groupstream.commands`."""
    app.command("lineage", epilog="Example: groupstream lineage news@latest --mermaid")(lineage)


def lineage(
    ref: Ref,
    mermaid: Annotated[
        bool, typer.Option("--mermaid", help="Print a diagram to paste into Markdown, as Mermaid draws it.")
    ] = False,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show what a version was partitioned anew from, what came of it, which runs built and read it, and who pulled it.

    The registry knows; without one, there is what the manifest says. Pulls are known once groupstream doctor took them
    up.
    """
    from commands.registry_of import readable_registry_of
    from lifecycle.changing import find_published
    from lifecycle.lineage import lineage_of

    published = find_published(ref, root)
    with readable_registry_of(published.store.root) as registry:
        if registry is None:
            typer.echo("note: there is no registry here to ask; this is what the manifest says", err=True)
        found = lineage_of(published, registry)
    if json:
        typer.echo(to_json(_fields(found), indent=2))
    elif mermaid:
        from commands.lineage_pictures import mermaid_of

        typer.echo(mermaid_of(found))
    else:
        from rich.console import Console

        from commands.lineage_pictures import tree_of

        Console().print(tree_of(found))


def _fields(found: VersionLineage) -> dict[str, Any]:
    return {
        "ref": found.ref,
        "root": found.root,
        "digest": found.digest,
        "state": found.state,
        "run": found.run,
        "built_by": found.built_by and _run(found.built_by),
        "parents": [_relative(parent, "parents") for parent in found.parents],
        "children": [_relative(child, "children") for child in found.children],
        "used_by": [_run(run) for run in found.used_by],
        "pulled_by": [{**reader._asdict(), "last_at": reader.last_at.isoformat()} for reader in found.pulled_by],
    }


def _relative(one: Relative, beyond: str) -> dict[str, Any]:
    fields = {"ref": one.ref, "root": one.root, "digest": one.digest, "state": one.state}
    return {**fields, beyond: [_relative(further, beyond) for further in one.beyond]}


def _run(run: RunRecord) -> dict[str, Any]:
    names = ("id", "kind", "state", "dataset", "version", "prefect_url")
    ended = run.ended_at and run.ended_at.isoformat()
    return {**{n: getattr(run, n) for n in names}, "started_at": run.started_at.isoformat(), "ended_at": ended}
