"""A version, or some of its splits or groups, brought to this machine."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from groupstream import layout
from groupstream.cache import mirror_root, source_root
from groupstream.disk import absolute
from groupstream.errors import UnknownKeyError, UsageError
from groupstream.manifest import Manifest
from groupstream.pulling.files import OnBytes, Pull
from groupstream.pulling.record import record_pull
from groupstream.refs import Location, resolve
from groupstream.stored import read_manifest_file
from groupstream.stores import LocalStore, is_url
from groupstream.stores.address import without_credentials

if TYPE_CHECKING:
    from groupstream.dataset import Dataset
    from groupstream.pulling.groups import GroupsPull


def pull(
    ref: str | os.PathLike[str],
    root: str | os.PathLike[str] | None = None,
    *,
    splits: Iterable[str] | None = None,
    group_ids: Iterable[bytes | str] | None = None,
    to: str | os.PathLike[str] | None = None,
    arrow: bool = False,
    on_bytes: OnBytes = lambda count: None,
) -> Dataset:
    """Brings a version to this machine, checks every byte against the manifest, and opens it there.

    What is there already is not read again: a pull that was interrupted goes on where it was, another split is added
    to those that are there, and of several processes that pull the same each reads a part. No file has its final name
    before it is whole and was checked. Once it is there, `open` of the same ref reads the copy.

    With `group_ids`, the result is a small version of its own: same name, same number, only these groups.

    Args:
        ref: `name@version`, `name@alias`, `name`, or where a version lies.
        root: the store to look refs up in. Default: $GROUPSTREAM_ROOT, or ~/groupstream.
        splits: only these splits; default all.
        group_ids: only these groups, of each of the splits that has them.
        to: another root than that of the cache: a folder that gets <name>/<version>.
        arrow: also makes the Arrow copy of what came, in the cache, and reads from it; see `arrow_copy`. A version that
            lies on this machine already gets the copy where it is.
        on_bytes: called with the number of bytes that have just come, one call at a time.

    Raises:
        RefNotFoundError: nothing published is named so, or it is deleted.
        UnknownKeyError: the version lacks one of the splits or groups.
        ConflictError: there is another version of this name and number in the folder.
        CorruptError: the source has other bytes than its manifest says.
        StoreError: the source cannot be reached.
        PublishError: the folder cannot be written, or has no room.

    Warns:
        DeprecatedVersionWarning: it should not be used any more.
    """
    from groupstream.arrow_copy import make_arrow_copy
    from groupstream.dataset import open_dataset

    location = resolve(ref, root)
    planned = plan(location, splits, group_ids, to)
    if not (arrow and is_here(location, group_ids, to)):
        bring(planned, on_bytes)
        location = Location(LocalStore(planned.root), f"{planned.manifest.name}/{planned.manifest.version}")
    if arrow:
        make_arrow_copy(open_dataset(str(location)), planned.splits)
    return open_dataset(str(location), arrow=arrow)


def bring(planned: Pull | GroupsPull, on_bytes: OnBytes = lambda count: None) -> None:
    """Runs a pull, and leaves a record of it in the store if it brought anything; see `record`."""
    came = 0

    def count(num_bytes: int) -> None:
        nonlocal came
        came += num_bytes
        on_bytes(num_bytes)

    planned.run(count)
    if came:
        record_pull(planned.location, planned.splits, came, planned.num_groups)


def plan(
    location: Location,
    splits: Iterable[str] | None = None,
    group_ids: Iterable[bytes | str] | None = None,
    to: str | os.PathLike[str] | None = None,
) -> Pull | GroupsPull:
    """See `plan_pull`, and with `group_ids`, `plan_groups`."""
    from groupstream.pulling.groups import plan_groups

    return plan_pull(location, splits, to) if group_ids is None else plan_groups(location, group_ids, splits, to)


def is_here(location: Location, group_ids: Iterable[bytes | str] | None, to: str | os.PathLike[str] | None) -> bool:
    """Whether an Arrow copy of it can be made without bringing anything."""
    return isinstance(location.store, LocalStore) and group_ids is None and to is None


def plan_pull(
    location: Location, splits: Iterable[str] | None = None, to: str | os.PathLike[str] | None = None
) -> Pull:
    """Reads the manifest of a version and tells what a pull of it would bring. Writes nothing.

    Raises:
        UnknownKeyError: the version lacks one of the splits.
        UsageError: it lies in `to` already, or that is no folder of this machine.
    """
    content, manifest = read_manifest(location)
    root = mirror_root(source_root(location)) if to is None else folder_of(to)
    if Path(location.store.root, location.folder).resolve() == (root / manifest.name / manifest.version).resolve():
        raise UsageError(f"{manifest.ref} lies in {root} already; choose another folder to pull it to")
    names = known_splits(manifest, splits)
    of_splits = [f for name in names for f in (manifest.splits[name].group_table, *manifest.splits[name].shards)]
    return Pull(location, manifest, content, root, tuple(names), (*of_splits, *manifest.files))


def read_manifest(location: Location) -> tuple[bytes, Manifest]:
    """The bytes of a version's manifest, and what they say."""
    content = read_manifest_file(location.store, location.folder)
    return content, Manifest.from_json(content, f"{location.store.root}/{location.folder}/{layout.MANIFEST}")


def known_splits(manifest: Manifest, splits: Iterable[str] | None) -> list[str]:
    """The splits that were asked for, all by default, in the order of the manifest.

    Raises:
        UnknownKeyError: the version lacks one.
    """
    wanted = list(manifest.splits) if splits is None else list(splits)
    for name in wanted:
        if name not in manifest.splits:
            raise UnknownKeyError(f"{manifest.ref} has no split {name!r}; it has {', '.join(manifest.splits)}")
    return [name for name in manifest.splits if name in wanted]


def folder_of(to: str | os.PathLike[str]) -> Path:
    """The folder that somebody wants something pulled to.

    Raises:
        UsageError: it is elsewhere.
    """
    if is_url(os.fspath(to)):
        shown = without_credentials(os.fspath(to))
        raise UsageError(f"pull brings a version to a folder of this machine, which {shown} is not")
    return absolute(to)
