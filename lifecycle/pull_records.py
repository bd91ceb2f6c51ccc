"""Who pulled what. Readers leave a small file for each pull in the store; from there it goes to the registry.

`<root>/.pulls/<name>/<version>/<id>.json` holds at, by, splits and bytes. A reader that may not write leaves none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from groupstream import layout
from groupstream.layout import is_name, is_version
from groupstream.stores import Store, StoredObject
from lifecycle.claims import moment_of
from lifecycle.folders import remove_files

if TYPE_CHECKING:
    from registry import Registry

_READS_AT_ONCE = 16
_PARTS = 3  # of a path below .pulls: name, version, file


class Pull(NamedTuple):
    """A version was pulled. `file` is what says so, in the store."""

    file: StoredObject
    id: str
    name: str
    version: str
    at: datetime
    by: str
    splits: tuple[str, ...]
    num_bytes: int


class FoundPulls(NamedTuple):
    """What lies where pulls are recorded: records, and files that are none."""

    pulls: list[Pull]
    broken: list[StoredObject]


def find_pulls(store: Store, name: str | None = None) -> FoundPulls:
    """The records that no registry has taken yet, of one dataset or of all. One request for each."""
    files = list(store.objects(layout.PULLS if name is None else f"{layout.PULLS}/{name}"))
    with ThreadPoolExecutor(_READS_AT_ONCE, "groupstream-pulls") as threads:
        read = list(threads.map(lambda file: _read(store, file), files))
    broken = [file for file, pull in zip(files, read, strict=True) if pull is False]
    return FoundPulls([pull for pull in read if isinstance(pull, Pull)], broken)


def move_pulls(store: Store, registry: Registry, pulls: Sequence[Pull]) -> None:
    """Brings records into the registry, and only then removes them from the store. Again: nothing is doubled.

    Raises:
        RegistryError: the registry cannot be written; the records stay where they are.
        PublishError: the store refuses to remove them.
    """
    from registry import PullRecord

    records = [
        PullRecord(id=p.id, name=p.name, version=p.version, at=p.at, by=p.by, splits=p.splits, num_bytes=p.num_bytes)
        for p in pulls
    ]
    registry.record_pulls(store.root, records)
    remove_files(store, [pull.file for pull in pulls])


def last_used(registry: Registry | None, root: str, name: str, pulls: Iterable[Pull]) -> dict[str, datetime]:
    """When each version was pulled, or read by a run, the last time, as far as registry and store know."""
    newest = {} if registry is None else dict(registry.last_used(root, name))
    for pull in pulls:
        if pull.name == name:
            newest[pull.version] = max(pull.at, newest.get(pull.version, pull.at))
    return newest


def _read(store: Store, file: StoredObject) -> Pull | bool | None:
    """A record; False where it is none, None where it is gone by now."""
    parts = file.path.removeprefix(f"{layout.PULLS}/").split("/")
    if len(parts) != _PARTS or not is_name(parts[0]) or not is_version(parts[1]):
        return False
    try:
        fields = json.loads(store.read(file.path))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        return False
    at = moment_of(fields.get("at")) if isinstance(fields, dict) else None
    return False if at is None else _pull_of(file, parts, at, fields)


def _pull_of(file: StoredObject, parts: list[str], at: datetime, fields: dict[str, Any]) -> Pull:
    splits, size = fields.get("splits"), fields.get("bytes", fields.get("num_bytes"))
    return Pull(
        file=file,
        id=parts[2].removesuffix(".json"),
        name=parts[0],
        version=parts[1],
        at=at,
        by=str(fields.get("by") or ""),
        splits=tuple(map(str, splits)) if isinstance(splits, list) else (),
        num_bytes=size if isinstance(size, int) else 0,
    )
