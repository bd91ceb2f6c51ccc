"""The command `groupstream card`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groupstream.commands.options import Ref, Root

if TYPE_CHECKING:
    from groupstream.dataset import Dataset
    from groupstream.manifest import Manifest


def register(app: typer.Typer) -> None:
    """Adds the command. Called through the entry point `groupstream.commands`."""
    app.command("card", epilog="Example: groupstream card fedwiki@latest --to fedwiki.html --open")(card)


def card(
    ref: Ref,
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write it. Default: NAME-VERSION.html, here.")
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Also show it in a browser.")] = False,
    root: Root = None,
) -> None:
    """Draw the card of a version anew, as this version of groupstream draws it, and print where it is.

    Reads the tables of groups and labels and the first examples, here or in a bucket. The card that was published with
    the version stays as it is.
    """
    from groupstream.dataset import open_dataset
    from groupstream.disk import explaining_errors
    from groupstream.refs import resolve
    from pipelines.card import draw_card

    dataset = open_dataset(ref, root)
    page = draw_card(dataset.manifest, dataset, _previous(str(resolve(ref, root)), dataset.manifest)).encode()
    file = to or Path(f"{dataset.manifest.name}-{dataset.manifest.version}.html")
    with explaining_errors(file.parent, "choose another file with --to"):
        file.write_bytes(page)
    typer.echo(file)
    if show:
        typer.launch(file.absolute().as_uri())


def _previous(location: str, manifest: Manifest) -> Dataset | None:
    """The version before, where the folder of this one lies beside others; a web server cannot say what these are."""
    from groupstream import UsageError
    from groupstream.stores import open_store
    from pipelines.previous import previous_version

    folder, _, place = location.rpartition(f"/{manifest.name}/")
    if place != manifest.version:
        return None
    try:
        return previous_version(open_store(folder), manifest.name, manifest.version)
    except UsageError:
        return None
