"""The command `groupstream preview`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from commands.options import Settings, SpecFile

if TYPE_CHECKING:
    from pipelines.preview import Preview

_PICTURES = (".png", ".html")


def register(app: typer.Typer) -> None:
    """Adds the command. Called through the entry point `groupstream.commands`."""
    app.command("preview", epilog="Example: groupstream preview specs/demo.yaml --picture demo.html")(preview)


def preview(
    spec: SpecFile,
    limit: Annotated[int, typer.Option(min=1, help="How many examples to read; all, if there are fewer.")] = 10_000,
    setting: Settings = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw sizes and labels of the groups: a .png or .html file.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Partition a sample, in this process, and show its groups. Nothing is built.

    The sample is the first examples of pieces that are spread evenly over the source: of 16 pieces where it has as
    many. It is the same each time. Exit code 1 if a build would refuse these examples.
    """
    if picture is not None and picture.suffix not in _PICTURES:
        from groupstream import UsageError

        raise UsageError(f"--picture {picture} is neither of {' nor '.join(_PICTURES)}; choose one of these endings")
    from pipelines.plan import make_plan
    from pipelines.preview import preview_plan
    from pipelines.refusals import refuse_dropped
    from specs import load_spec

    plan = make_plan(load_spec(spec, setting or []), identify=False)
    found = preview_plan(plan, limit)
    _show(found, json)
    if picture is not None:
        _draw(found, picture)
    refuse_dropped(found.spec, found.tally)


def _show(found: Preview, json: bool) -> None:
    from commands.preview_report import describe_preview

    report = describe_preview(found)
    if json:
        from groupstream.commands.printing import to_json

        typer.echo(to_json(report, indent=2))
        return
    from rich.console import Console

    from commands.preview_report import print_report

    print_report(Console(), report)


def _draw(found: Preview, file: Path) -> None:
    from cards.partition_picture import DrawnSplit, partition_page, partition_png
    from commands.preview_report import sample_line
    from groupstream.disk import explaining_errors

    label = found.plan.label_feature
    names = None if label is None else found.plan.features[label].labels
    splits = {name: DrawnSplit(split.sizes, split.labels, names) for name, split in found.splits.items()}
    arguments: Any = (found.plan.spec.name, sample_line(found), splits)
    content = partition_png(*arguments) if file.suffix == ".png" else partition_page(*arguments).encode()
    with explaining_errors(file.parent, "choose another file with --picture"):
        file.write_bytes(content)
    typer.echo(f"picture: {file}", err=True)
