"""The command `groupstream info`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import typer

from groupstream.commands.options import Json, Ref, Root
from groupstream.commands.printing import counted, format_bytes, one_line, to_json, visible

if TYPE_CHECKING:
    from groupstream.dataset import Dataset
    from groupstream.features import Feature
    from groupstream.manifest import Manifest, SplitInfo

Line = tuple[str, str]  # what it is, and what it says

_LICENCE_KEYS = ("licence", "license")


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("info", epilog="Example: groupstream info stdlib@latest")(info)


def info(ref: Ref, root: Root = None, json: Json = False) -> None:
    """Show what a version is: its features, its sizes, where it came from."""
    from groupstream.dataset import open_dataset

    dataset = open_dataset(ref, root)
    known = _in_catalog(dataset)
    if json:
        more = {"catalog": known} if known else {}
        typer.echo(to_json({**dataset.manifest.model_dump(mode="json"), **more}, indent=2))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for what, text in _lines(dataset, known):
        table.add_row(Text(one_line(what)), Text(visible(text), "bold" if what == "version" else "", overflow="fold"))
    Console().print(table)


def _in_catalog(dataset: Dataset) -> dict[str, Any]:
    """What may change about a version; empty where no catalog has it, as beside a copy."""
    from groupstream.refs import catalog_of

    version = dataset.manifest.version
    catalog = catalog_of(dataset.stored_at)
    known = catalog.get(version) if catalog else None
    if catalog is None or known is None:
        return {}
    fields = {"aliases", "state", "message", "published_at", "changed_at", "changed_by"}
    return {"aliases": catalog.aliases_of(version), **known.model_dump(mode="json", include=fields)}


def _lines(dataset: Dataset, known: Mapping[str, Any]) -> Iterator[Line]:
    manifest = dataset.manifest
    yield "version", manifest.ref
    if known:
        yield "aliases", ", ".join(known["aliases"]) or "none"
    if known and known["state"] != "published":
        yield "state", one_line(f"{known['state']}: {known['message'] or 'no reason given'}")
    yield "what", manifest.description
    yield "in", dataset.location
    yield from _licence(manifest)
    for name, split in manifest.splits.items():
        yield from _split_lines(name, split)
    yield "features", "\n".join(f"{one_line(name)}: {_describe(f)}" for name, f in manifest.features.items())
    yield "groups by", _settings(manifest.spec.get("partitioner", {}))
    yield "source", _settings(manifest.source)
    yield "dropped", ", ".join(f"{n:,} {reason}" for reason, n in manifest.counts.dropped.items()) or "none"
    if manifest.counts.regrouped:
        yield "regrouped", ", ".join(f"{n:,} {done}" for done, n in manifest.counts.regrouped.items())
    yield "checks", _checks(manifest)
    yield "on disk", _on_disk(manifest)
    yield "built", _built(dataset)


def _licence(manifest: Manifest) -> Iterator[Line]:
    for key in _LICENCE_KEYS:
        for settings in (manifest.spec, manifest.source):
            if isinstance(settings.get(key), str):
                yield "licence", settings[key]
                return


def _split_lines(name: str, split: SplitInfo) -> Iterator[Line]:
    s = split.statistics
    sizes = " / ".join(f"{n:,}" for _, n in s.group_sizes)
    yield name, ", ".join(counted(getattr(s, f"num_{unit}s"), unit) for unit in ("group", "example", "byte", "word"))
    yield "", f"examples per group at 10 / 50 / 90 % / max: {sizes}"
    shard_bytes = sum(shard.size_bytes for shard in split.shards)
    shards = counted(len(split.shards), "shard")
    yield "", f"{shards} of {format_bytes(shard_bytes)}, index of {format_bytes(split.group_table.size_bytes)}"


def _checks(manifest: Manifest) -> str:
    failed = [check.name for check in manifest.checks if not check.passed]
    passed = f"{len(manifest.checks) - len(failed)} of {len(manifest.checks)} passed"
    return f"{passed}; failed: {', '.join(failed)}" if failed else passed


def _on_disk(manifest: Manifest) -> str:
    files = manifest.all_files()
    size = sum(file.size_bytes for file in files)
    return f"{format_bytes(size)} in {counted(len(files), 'file')}, format {manifest.format_version}"


def _built(dataset: Dataset) -> str:
    """When and by what. The time stands in the claim, which a copy may lack."""
    import json as json_module

    from groupstream.errors import CorruptError
    from groupstream.layout import CLAIM

    try:
        claim = json_module.loads(dataset.read_file(CLAIM))
        time = claim.get("created_at") if isinstance(claim, dict) else None
    except (CorruptError, ValueError):
        time = None
    code = ", ".join(f"{name} {version}" for name, version in dataset.manifest.code.items())
    when = [f"at {time}"] if isinstance(time, str) else []
    by = [f"by {code}"] if code else []
    return " ".join([*when, *by, f"with seed {dataset.manifest.seed}"])


def _settings(settings: Mapping[str, Any]) -> str:
    return one_line(" ".join(f"{k}={v}" for k, v in settings.items() if v is not None))


def _describe(feature: Feature) -> str:
    if feature.is_list:
        kind = f"list of {feature.dtype}"
    else:
        shape = f" {list(feature.shape)}" if feature.shape else ""
        kind = f"{f'{feature.image_format} image' if feature.image_format else feature.dtype}{shape}"
    labels = f", {len(feature.labels)} labels" if feature.labels else ""
    return f"{kind}{labels}{', may be missing' if feature.optional else ''}"
