"""The command `groupstream gc`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.asking import Yes, ask
from commands.options import DryRun
from groupstream.commands.completion import complete_name
from groupstream.commands.options import Json, Root
from groupstream.commands.printing import counted, format_bytes, one_line, to_json

if TYPE_CHECKING:
    from groupstream.stores import Store
    from lifecycle.collection import Collected, CollectionPlan
    from lifecycle.leftovers import Item
    from lifecycle.retention import RetentionPolicy
    from registry import Registry


def register(app: typer.Typer) -> None:
    """Adds the command. Called through the entry point `groupstream.commands`."""
    app.command("gc", epilog="Example: groupstream gc news --keep-last 3 --dry-run")(gc)


def gc(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One dataset; default all.", autocompletion=complete_name)
    ] = None,
    keep_last: Annotated[int, typer.Option(min=1, help="Keep so many versions with the largest numbers.")] = 5,
    keep_used_days: Annotated[
        int, typer.Option(min=0, help="Keep what was pulled, or read by a run, in so many days.")
    ] = 90,
    keep_newer_than_days: Annotated[int, typer.Option(min=0, help="Keep what was published in so many days.")] = 30,
    drop_deprecated_days: Annotated[
        int | None, typer.Option(min=0, help="Delete what was deprecated before, though it be among the last.")
    ] = None,
    grace_hours: Annotated[
        float, typer.Option(min=0, help="Leave the files of a deleted version so long for who reads them.")
    ] = 24,
    keep_report_days: Annotated[int, typer.Option(min=0, help="Keep reports and quarantines of runs.")] = 30,
    dry_run: DryRun = False,
    yes: Yes = False,
    root: Root = None,
    json: Json = False,
) -> None:
    """Delete the versions that nothing keeps, and remove what belongs to no version any more.

    Versions with an alias, and the newest, are always kept. The plan is shown first. See also: groupstream delete.
    """
    from commands.registry_of import readable_registry_of, registry_of
    from groupstream.refs import default_root
    from groupstream.stores import open_store
    from lifecycle.retention import RetentionPolicy

    policy = RetentionPolicy(
        keep_last=keep_last,
        keep_used_days=keep_used_days,
        keep_newer_than_days=keep_newer_than_days,
        drop_deprecated_days=drop_deprecated_days,
        grace_hours=grace_hours,
        keep_report_days=keep_report_days,
    )
    store = open_store(root or default_root())
    with readable_registry_of(store.root) if dry_run else registry_of(store.root) as registry:
        _run(store, registry, policy, name, dry_run=dry_run, yes=yes, json=json)


def _run(
    store: Store,
    registry: Registry | None,
    policy: RetentionPolicy,
    name: str | None,
    *,
    dry_run: bool,
    yes: bool,
    json: bool,
) -> None:
    from lifecycle.collection import collect, plan_collection

    plan = plan_collection(store, registry, policy, name)
    if registry is None:
        typer.echo("note: without a registry, only the pulls recorded in the store tell what is in use", err=True)
    if not json:
        _print_plan(plan)
    done: list[Collected] = []
    if plan.items and not dry_run:
        ask(f"Delete {counted(len(plan.items), 'item')}, {format_bytes(_size(plan.items))}?", yes)
        done = list(collect(store, registry, plan, policy))
    if json:
        typer.echo(to_json(_fields(plan, done, dry_run), indent=2))
    elif done:
        typer.echo(_sentence(done))
    errors = [each.error for each in done if each.error is not None]
    for error in errors:
        typer.echo(f"error: {one_line(error)}", err=True)
    if errors:
        raise typer.Exit(1)


def _print_plan(plan: CollectionPlan) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("what", "", "bytes", "goes", "why", box=None, pad_edge=False)
    table.columns[2].justify = "right"
    for column in table.columns[:4]:
        column.no_wrap = True
    for item in [*plan.items, *plan.waiting]:
        cells = (item.kind, item.ref, format_bytes(item.num_bytes), _when(item, plan), item.why)
        table.add_row(*(Text(one_line(cell)) for cell in cells))
    if table.rows:
        Console().print(table)
    kept = counted(len(plan.kept), "version")
    typer.echo(f"{kept} kept, {counted(len(plan.items), 'item')} to go, {format_bytes(_size(plan.items))}", err=True)


def _when(item: Item, plan: CollectionPlan) -> str:
    if item.free_from is None or (item.kind == "deleted version" and item not in plan.waiting):
        return "now"
    return item.free_from.isoformat(sep=" ", timespec="minutes")[:16]


def _sentence(done: list[Collected]) -> str:
    freed = sum(each.freed_bytes for each in done)
    waiting = [e for e in done if e.item.kind == "version" and e.error is None and not e.freed_bytes]
    later = f"; the files of {counted(len(waiting), 'version')} go with the next gc after the grace" if waiting else ""
    return f"freed {format_bytes(freed)}{later}"


def _fields(plan: CollectionPlan, done: list[Collected], dry_run: bool) -> dict[str, Any]:
    return {
        "items": [_item_fields(item) for item in plan.items],
        "waiting": [_item_fields(item) for item in plan.waiting],
        "kept": [kept._asdict() for kept in plan.kept],
        "freed_bytes": sum(each.freed_bytes for each in done),
        "errors": [{"ref": each.item.ref, "error": each.error} for each in done if each.error is not None],
        "dry_run": dry_run,
    }


def _item_fields(item: Item) -> dict[str, Any]:
    free_from = None if item.free_from is None else item.free_from.isoformat(timespec="seconds")
    about = {"what": item.kind, "ref": item.ref, "why": item.why}
    return {**about, "files": len(item.files), "bytes": item.num_bytes, "free_from": free_from}


def _size(items: list[Item]) -> int:
    return sum(item.num_bytes for item in items)
