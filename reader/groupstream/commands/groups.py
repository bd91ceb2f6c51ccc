"""The command `groupstream groups`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from groupstream.commands.options import Json, Ref, Root, SplitName, chosen_split, typed_id
from groupstream.commands.printing import counted, format_bytes, one_line, progress_bar, to_json

if TYPE_CHECKING:
    import pyarrow as pa

    from groupstream.dataset import Split

_COLUMNS = ["group_id", "shard_index", "offset_bytes", "length_bytes", "num_examples", "num_bytes", "num_words"]
_BATCH_ROWS = 1 << 12


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("groups", epilog="Example: groupstream groups stdlib@latest --sort size --limit 5")(groups)


def groups(
    ref: Ref,
    split: SplitName = None,
    min_examples: Annotated[int, typer.Option(min=0, help="Only groups with so many examples or more.")] = 0,
    max_examples: Annotated[int | None, typer.Option(min=0, help="Only groups with so many or fewer.")] = None,
    like: Annotated[str, typer.Option(metavar="TEXT", help="Only groups whose id contains this.")] = "",
    sort: Annotated[
        Literal["stored", "size", "id"], typer.Option(help="As they are stored, the largest first, or by id.")
    ] = "stored",
    limit: Annotated[int, typer.Option(min=0, help="At most so many; 0 for all.")] = 20,
    root: Root = None,
    json: Json = False,
) -> None:
    """List groups with their sizes and where they lie. Reads the index only."""
    from groupstream.commands.index import advancing, index_batches
    from groupstream.dataset import open_dataset
    from groupstream.group_choice import Choice

    opened = chosen_split(open_dataset(ref, root), split)
    choice = Choice(min_examples, max_examples, typed_id(like), sort, limit or None)
    with progress_bar("Reading the index", opened.num_groups) as advance:
        chosen = choice.of(advancing(index_batches(opened, _COLUMNS), advance))
    if json:
        _print_json(opened, chosen)
    else:
        _print_table(opened, chosen)


def _rows(split: Split, chosen: pa.Table) -> Iterator[dict[str, Any]]:
    shards = split.info.shards
    for batch in chosen.to_batches(max_chunksize=_BATCH_ROWS):
        for row in batch.to_pylist():
            yield {
                "group_id": row["group_id"],
                "position": row["position"],
                **{name: row[name] for name in ("num_examples", "num_bytes", "num_words")},
                "shard": shards[row["shard_index"]].path,
                **{name: row[name] for name in ("shard_index", "offset_bytes", "length_bytes")},
            }


def _print_json(split: Split, chosen: pa.Table) -> None:
    """A list with one group a line, so that it is JSON and can be cut by lines too."""
    separator = "[\n"
    for row in _rows(split, chosen):
        typer.echo(f"{separator}{to_json(row)}", nl=False)
        separator = ",\n"
    typer.echo("\n]" if len(chosen) else "[]")


def _print_table(split: Split, chosen: pa.Table) -> None:
    """The id stands last: it may be long, or be written from right to left."""
    from groupstream.commands.tables import print_numbers_and_name

    if not len(chosen):
        typer.echo(f"no such group among the {counted(split.num_groups, 'group')} of split {split.name}", err=True)
        return
    rows = [
        (
            f"{row['num_examples']:,}",
            format_bytes(row["num_bytes"]),
            f"{row['num_words']:,}",
            f"{row['shard_index']:,}",
            f"{row['offset_bytes']:,}",
            one_line(row["group_id"]),
        )
        for row in _rows(split, chosen)
    ]
    print_numbers_and_name(("examples", "bytes", "words", "shard", "offset", "group"), rows)
    if len(chosen) < split.num_groups:
        typer.echo(f"{len(chosen):,} of {counted(split.num_groups, 'group')}", err=True)
