"""The command `groupstream doctor`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from commands.options import DryRun
from groupstream.commands.options import Json, Root
from groupstream.commands.printing import counted, one_line, to_json

if TYPE_CHECKING:
    from lifecycle.findings import Finding


def register(app: typer.Typer) -> None:
    """Adds the command. Called through the entry point `groupstream.commands`."""
    app.command("doctor", epilog="Example: groupstream doctor --root gs://bucket/datasets --dry-run")(doctor)


def doctor(dry_run: DryRun = False, root: Root = None, json: Json = False) -> None:
    """Compare the folders of a root with its catalogs and with the registry, and mend what can be mended.

    Nothing is lost by it, and it may run beside builds. Exits with 1 where something remains to be done.
    """
    from commands.registry_of import readable_registry_of, registry_of
    from groupstream.refs import default_root
    from groupstream.stores import open_store
    from lifecycle.doctor import examine

    store = open_store(root or default_root())
    with readable_registry_of(store.root) if dry_run else registry_of(store.root) as registry:
        findings = examine(store, registry, mend=not dry_run)
    remaining = [finding for finding in findings if finding.remains]
    if json:
        found = [{**asdict(each), "remains": each.remains} for each in findings]
        typer.echo(to_json({"root": store.root, "findings": found, "dry_run": dry_run}, indent=2))
    else:
        for finding in findings:
            typer.echo(_line(finding, dry_run))
        typer.echo(_sentence(store.root, findings, len(remaining)))
    if remaining:
        raise typer.Exit(1)


def _line(finding: Finding, dry_run: bool) -> str:
    outcome = "mended" if finding.mended else "note" if finding.is_note else "found" if dry_run else "remains"
    says = f"{finding.ref} {finding.wrong}; {finding.way_out}"
    return f"{outcome:<7}  {finding.kind:<20}  {one_line(says)}"


def _sentence(root: str, findings: list[Finding], num_remaining: int) -> str:
    if not findings:
        return f"{root} is as it should be"
    mended = sum(finding.mended for finding in findings)
    return f"{counted(len(findings), 'finding')}: {mended:,} mended, {num_remaining:,} to be done"
