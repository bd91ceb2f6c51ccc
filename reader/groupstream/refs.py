"""Refs: `name@version`, `name@alias`, `name`, or the path or URL of a version's folder.

The catalog of a dataset knows aliases, and which versions are deprecated or deleted. Where it is missing, or lacks a
version that has a manifest, the folders are the truth.
"""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Any, NamedTuple

from groupstream.catalog.files import read_catalog
from groupstream.catalog.lookup import aimed_version, catalog_if_readable, is_published, newest_version
from groupstream.catalog.lookup import published_versions as published_versions
from groupstream.catalog.lookup import resolve_alias as resolve_alias
from groupstream.catalog.model import LATEST, CatalogVersion, DatasetCatalog
from groupstream.commands.printing import one_line
from groupstream.deprecation import warn_if_deprecated
from groupstream.disk import absolute
from groupstream.errors import GroupstreamError, RefNotFoundError, StoreError, UsageError
from groupstream.layout import CATALOG, MANIFEST, TOMBSTONE, is_alias, is_name, is_version
from groupstream.stores import Store, is_url, open_store
from groupstream.stores.address import parse_address

ROOT_VARIABLE = "GROUPSTREAM_ROOT"
DEFAULT_ROOT = "~/groupstream"

_NO_FOLDER = "no such folder"
_LIST = "List what is published with: groupstream ls"


class Location(NamedTuple):
    """Where a version lies."""

    store: Store
    folder: str  # relative to the root of the store

    def __str__(self) -> str:
        return f"{self.store.root}/{self.folder}"


def default_root() -> str:
    """The folder or URL that refs are looked up in: $GROUPSTREAM_ROOT, or ~/groupstream."""
    return os.environ.get(ROOT_VARIABLE) or str(absolute(DEFAULT_ROOT))


def resolve(ref: str | os.PathLike[str], root: str | os.PathLike[str] | None = None) -> Location:
    """Finds the version that `ref` names.

    One small request: the catalog of the dataset says which version an alias leads to, and whether a version can be
    opened. A version that it lacks, or of a store without catalogs, takes one more; `latest` there, a list of folders.

    Args:
        root: the folder or URL that `name`, `name@version` and `name@alias` are looked up in.

    Raises:
        RefNotFoundError: nothing that can be opened is named so.
        CorruptError: an alias is asked for, and the catalog is none, or of a newer format.
        StoreError: the root cannot be reached.
    """
    text = os.fspath(ref)
    if not text:
        raise RefNotFoundError("no version was named. List what is published with: groupstream ls")
    if is_url(text):
        return _at_url(text)
    name, _, wanted = text.partition("@")
    if not is_name(name) or _has_manifest(Path(text)):
        return _at_path(text)
    asked = _Asked(open_store(os.fspath(root or default_root())), name, wanted or LATEST, text, root)
    return Location(asked.store, f"{name}/{_found(asked)}")


def catalog_of(location: Location) -> DatasetCatalog | None:
    """The catalog that says what may change about a version; None where there is none, or it cannot be read."""
    *above, name, version = str(location).rsplit("/", 2)
    if not (above and is_name(name) and is_version(version)):
        return None
    try:
        path = f"{location.folder.rpartition('/')[0]}/{CATALOG}".lstrip("/")
        catalog = catalog_if_readable(location.store, name, path)
    except StoreError:
        return None
    return catalog if catalog and catalog.name == name else None


class _Asked(NamedTuple):
    """What is looked for, where, and in which words."""

    store: Store
    name: str
    wanted: str  # a number or an alias
    text: str
    root: str | os.PathLike[str] | None

    @property
    def more(self) -> str:
        """What the option of a command is to look there, too."""
        return f" --root {shlex.quote(os.fspath(self.root))}" if self.root else ""

    @property
    def way_out(self) -> str:
        """How to go on."""
        return f"List the versions with: groupstream ls {self.name}{self.more}"


def _found(asked: _Asked) -> str:
    """The number of the version that is asked for."""
    store, name, wanted = asked.store, asked.name, asked.wanted
    is_number = is_version(wanted)
    catalog = catalog_if_readable(store, name) if is_number else read_catalog(store, name)
    version = wanted if is_number else aimed_version(store, name, wanted, catalog) if is_alias(wanted) else None
    known = catalog.get(version) if catalog and version else None
    if catalog and known:
        _refuse_deleted(name, known, catalog, asked.way_out)
        warn_if_deprecated(catalog, known.version)
        return known.version
    if version is None or (is_number and not is_published(store, f"{name}/{version}")):
        raise _not_found(asked, catalog)
    return version


def _refuse_deleted(name: str, known: CatalogVersion, catalog: DatasetCatalog, way_out: str) -> None:
    if not known.is_readable:
        raise _deleted(f"{name}@{known.version}", known.changed_at, known.message, catalog.newest(), way_out)


def _deleted(ref: str, at: object, reason: str, newest: str | None, way_out: str) -> RefNotFoundError:
    since = f" since {one_line(str(at)[:10])}" if at else ""
    there = f"newest is {newest}" if newest else "there is no other"
    return RefNotFoundError(f"{ref} is deleted{since} ({one_line(reason) or 'no reason given'}); {there}. {way_out}")


def _not_found(asked: _Asked, catalog: DatasetCatalog | None) -> RefNotFoundError:
    """Says what there is instead."""
    store, name, text = asked.store, asked.name, asked.text
    try:
        newest = (catalog.newest() if catalog else None) or newest_version(store, name, catalog)
    except UsageError as error:  # a web server, which cannot list
        return RefNotFoundError(f"{text} not found. {error}")
    if is_version(asked.wanted) and (tombstone := _tombstone(store, f"{name}/{asked.wanted}")):
        return _deleted(text, tombstone.get("at"), str(tombstone.get("reason") or ""), newest, asked.way_out)
    if newest is None and catalog is None:
        return RefNotFoundError(
            f"no dataset {name!r} in {store.root}. List what is there with: groupstream ls{asked.more}"
        )
    there = f"newest is {newest}" if newest else f"no version of {name} can be opened"
    if catalog and catalog.aliases and not is_version(asked.wanted):
        there += f", and the aliases are {', '.join(sorted(catalog.aliases))}"
    return RefNotFoundError(f"{text} not found; {there}. {asked.way_out}")


def _tombstone(store: Store, folder: str) -> dict[str, Any] | None:
    try:
        return dict(json.loads(store.read(f"{folder}/{TOMBSTONE}")))
    except (GroupstreamError, OSError, ValueError, TypeError):
        return None


def _at_path(text: str) -> Location:
    folder = absolute(text)
    if not _has_manifest(folder):
        reason = _why_not(folder)
        if reason == _NO_FOLDER and "/" not in text:
            reason += ", and no name, which is made of a-z, 0-9, - and _"
        raise RefNotFoundError(f"{text}: {reason}. List what is published with: groupstream ls")
    location = Location(open_store(str(folder.parent)), folder.name)
    _look_beside(location, folder.parent.name, f"{_LIST} --root {shlex.quote(str(folder.parent.parent))}")
    return location


def _has_manifest(folder: Path) -> bool:
    try:
        return (folder / MANIFEST).is_file()
    except OSError:  # it may not be read, or its name is too long
        return False


def _why_not(folder: Path) -> str:
    try:
        (folder / MANIFEST).stat()
    except FileNotFoundError:
        return "not a published version: it has no manifest.json" if folder.is_dir() else _NO_FOLDER
    except OSError as error:
        return error.strerror or str(error)
    return "not a published version: its manifest.json is not a file"


def _at_url(url: str) -> Location:
    address = parse_address(url)
    root, _, folder = str(address).rpartition("/")
    if not address.prefix:
        raise RefNotFoundError(f"{url}: not the folder of a version; give all of it, such as {address}/text/1.0.0")
    location = Location(open_store(root), folder)
    above = address._replace(prefix="/".join(address.prefix.split("/")[:-2]))
    way_out = f"{_LIST} --root {shlex.quote(str(above))}"
    if not _look_beside(location, root.rpartition("/")[2], way_out) and not is_published(*location):
        if address.scheme not in ("gs", "s3"):
            way_out = "Check the address"  # a web server cannot list
        raise RefNotFoundError(f"{url}: not a published version: it has no manifest.json. {way_out}")
    return location


def _look_beside(location: Location, name: str, way_out: str) -> bool:
    """Whether a catalog beside the folder of a version says that it can be opened.

    Raises:
        RefNotFoundError: it says that the version is deleted.
    """
    store, version = location
    if not (is_name(name) and is_version(version)):
        return False
    catalog = catalog_if_readable(store, name, CATALOG)
    known = catalog.get(version) if catalog else None
    if catalog is None or known is None or catalog.name != name:
        return False
    _refuse_deleted(name, known, catalog, way_out)
    warn_if_deprecated(catalog, version)
    return True
