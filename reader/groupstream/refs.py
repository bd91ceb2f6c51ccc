"""Refs: `name@version`, `name@latest`, `name`, or the path or URL of a version's folder."""

from __future__ import annotations

import os
import shlex
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from groupstream.disk import absolute
from groupstream.errors import RefNotFoundError, UsageError
from groupstream.layout import MANIFEST, is_name, is_version, version_key
from groupstream.stores import Store, is_url, open_store
from groupstream.stores.address import parse_address

ROOT_VARIABLE = "GROUPSTREAM_ROOT"
DEFAULT_ROOT = "~/groupstream"

_NO_FOLDER = "no such folder"
_THREADS = 16  # that ask for manifests at once


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

    A number costs one request, `latest` two, where the newest folder is a published version.

    Args:
        root: the folder or URL that `name` and `name@version` are looked up in.

    Raises:
        RefNotFoundError: nothing published is named so.
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
    store = open_store(os.fspath(root or default_root()))
    version = _newest(store, name) if wanted in ("", "latest") else _if_published(store, name, wanted)
    if version is None:
        raise RefNotFoundError(_what_there_is(store, name, text, root))
    return Location(store, f"{name}/{version}")


def published_versions(store: Store, name: str) -> list[str]:
    """The versions that have a manifest, oldest number first. One request for the folders, and one a version."""
    found = _version_folders(store, name)
    if len(found) < 2:
        return [v for v in found if _is_published(store, f"{name}/{v}")]
    with ThreadPoolExecutor(min(len(found), _THREADS)) as threads:
        published = threads.map(lambda v: _is_published(store, f"{name}/{v}"), found)
        return [v for v, is_there in zip(found, published, strict=True) if is_there]


def _newest(store: Store, name: str) -> str | None:
    newest_first = reversed(_version_folders(store, name))
    return next((v for v in newest_first if _is_published(store, f"{name}/{v}")), None)


def _if_published(store: Store, name: str, version: str) -> str | None:
    return version if is_version(version) and _is_published(store, f"{name}/{version}") else None


def _version_folders(store: Store, name: str) -> list[str]:
    return sorted((v for v in store.folders(name) if is_version(v)), key=version_key)


def _is_published(store: Store, folder: str) -> bool:
    return store.size_bytes(f"{folder}/{MANIFEST}") is not None


def _what_there_is(store: Store, name: str, text: str, root: str | os.PathLike[str] | None) -> str:
    there = f" --root {shlex.quote(os.fspath(root))}" if root else ""
    try:
        newest = _newest(store, name)
    except UsageError as error:  # a web server, which cannot list
        return f"{text} not found. {error}"
    if newest is None:
        return f"no dataset {name!r} in {store.root}. List what is there with: groupstream ls{there}"
    return f"{text} not found; newest is {newest}. List the versions with: groupstream ls {name}{there}"


def _at_path(text: str) -> Location:
    folder = absolute(text)
    if not _has_manifest(folder):
        reason = _why_not(folder)
        if reason == _NO_FOLDER and "/" not in text:
            reason += ", and no name, which is made of a-z, 0-9, - and _"
        raise RefNotFoundError(f"{text}: {reason}. List what is published with: groupstream ls")
    return Location(open_store(str(folder.parent)), folder.name)


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
    store = open_store(root)
    if not _is_published(store, folder):
        above = address._replace(prefix="/".join(address.prefix.split("/")[:-2]))
        way_out = f"List what is published with: groupstream ls --root {shlex.quote(str(above))}"
        if address.scheme not in ("gs", "s3"):
            way_out = "Check the address"  # a web server cannot list
        raise RefNotFoundError(f"{url}: not a published version: it has no manifest.json. {way_out}")
    return Location(store, folder)
