"""The command `groupstream diff`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from groupstream.commands.completion import complete_ref
from groupstream.commands.options import REF_HELP, Json, Root
from groupstream.commands.printing import progress_bar, to_json

if TYPE_CHECKING:
    from groupstream.dataset import Dataset, Split
    from groupstream.differences import Change

_STATISTICS = ("num_groups", "num_examples", "num_bytes", "num_words")
_GROUPS = ("added", "removed", "grown", "shrunk", "rewritten", "kept")

Advance = Callable[[int], None]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("diff", epilog="Example: groupstream diff stdlib@1.0.0 stdlib@latest")(diff)


def diff(
    before: Annotated[str, typer.Argument(metavar="REF", help=REF_HELP, autocompletion=complete_ref)],
    after: Annotated[
        str, typer.Argument(metavar="REF", help="Another one to compare it with.", autocompletion=complete_ref)
    ],
    exit_code: Annotated[bool, typer.Option("--exit-code", help="End with 1 where they differ.")] = False,
    largest: Annotated[int, typer.Option(min=0, help="How many of the largest changes to show.")] = 5,
    root: Root = None,
    json: Json = False,
) -> None:
    """Show what differs between two versions: features, settings, sizes, groups. Reads the indexes only."""
    from groupstream.dataset import open_dataset

    old, new = open_dataset(before, root), open_dataset(after, root)
    in_both = [name for name in old if name in new]
    total = sum(old[name].num_groups + new[name].num_groups for name in in_both)
    with progress_bar("Reading the indexes", total) as advance:
        found = _differences(old, new, largest, advance)
    if json:
        typer.echo(to_json(found, indent=2))
    else:
        from groupstream.commands.diff_tables import print_differences

        print_differences(found)
    if exit_code and found["differ"]:
        raise typer.Exit(1)


def _differences(old: Dataset, new: Dataset, largest: int, advance: Advance) -> dict[str, Any]:
    splits = {name: _split_differences(old, new, name, largest, advance) for name in dict.fromkeys([*old, *new])}
    features = _changed(_features(old), _features(new))
    settings = _changed(_settings(old), _settings(new))
    same_bytes = all(split["same_bytes"] for split in splits.values())
    return {
        "before": old.manifest.ref,
        "after": new.manifest.ref,
        "differ": not same_bytes or any((*features.values(), *settings.values())),
        "features": features,
        "settings": settings,
        "splits": splits,
    }


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "added": {key: new[key] for key in new if key not in old},
        "removed": {key: old[key] for key in old if key not in new},
        "changed": {key: [old[key], new[key]] for key in old if key in new and old[key] != new[key]},
    }


def _features(dataset: Dataset) -> dict[str, Any]:
    return {name: feature.model_dump(mode="json") for name, feature in dataset.features.items()}


def _settings(dataset: Dataset) -> dict[str, Any]:
    """What the version was built by and from, flat. Without what changes nothing in it, and what its features say."""
    manifest = dataset.manifest
    spec = {key: value for key, value in manifest.spec.items() if key not in ("checks", "name", "description")}
    source = {**manifest.source, **_mapping(spec.get("source"))}
    source.pop("features", None)
    return dict(_flat({**spec, "seed": manifest.seed, "source": source}))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _flat(inner, f"{prefix}{key}.")
        elif inner is not None:
            yield f"{prefix}{key}", inner


def _split_differences(old: Dataset, new: Dataset, name: str, largest: int, advance: Advance) -> dict[str, Any]:
    sides = [dataset.get(name) for dataset in (old, new)]
    found: dict[str, Any] = {
        side: None if split is None else split.info.statistics.model_dump(mode="json")
        for side, split in zip(("before", "after"), sides, strict=True)
    }
    before, after = sides
    if before is None or after is None:
        return {**found, "same_bytes": False}
    if _files(before) == _files(after):
        return {**found, "same_bytes": True}
    return {**found, "same_bytes": False, **_group_differences(before, after, largest, advance)}


def _files(split: Split) -> list[str]:
    return [split.info.group_table.sha256, *(shard.sha256 for shard in split.info.shards)]


def _group_differences(before: Split, after: Split, largest: int, advance: Advance) -> dict[str, Any]:
    from groupstream.commands.index import advancing, index_batches
    from groupstream.differences import COLUMNS, ID_COLUMNS, by_stored_hash, by_unkeyed_hash, compare

    one_seed = before.seed == after.seed
    columns, read = (COLUMNS, by_stored_hash) if one_seed else (ID_COLUMNS, by_unkeyed_hash)

    def parts(split: Split) -> Iterator[Any]:
        return read(advancing(index_batches(split, list(columns)), advance))

    found = compare(parts(before), parts(after), largest)
    return {
        "groups": {name: getattr(found, name) for name in _GROUPS},
        "largest_changes": _named(found.largest, before, after),
    }


def _named(changes: list[Change], before: Split, after: Split) -> list[dict[str, Any]]:
    ids = {
        is_after: _ids_at(split, {c.position for c in changes if c.is_after == is_after})
        for is_after, split in ((False, before), (True, after))
    }
    return [
        {"group_id": ids[c.is_after][c.position], "examples_before": c.before, "examples_after": c.after}
        for c in changes
    ]


def _ids_at(split: Split, positions: set[int]) -> dict[int, bytes]:
    from groupstream.commands.index import index_batches

    found: dict[int, bytes] = {}
    first = 0
    for batch in index_batches(split, ["group_id"]) if positions else ():
        inside = [p for p in positions if first <= p < first + len(batch)]
        found |= {p: batch.column("group_id")[p - first].as_py() for p in inside}
        first += len(batch)
        if len(found) == len(positions):
            break
    return found
