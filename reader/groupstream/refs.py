"""Refs: `name@version`, `name@latest`, `name`, or the path of a version's folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from groupstream.errors import RefNotFoundError
from groupstream.layout import MANIFEST, is_name, is_version, version_key
from groupstream.stores import Store, open_store

ROOT_VARIABLE = "GROUPSTREAM_ROOT"
DEFAULT_ROOT = "~/groupstream"


class Location(NamedTuple):
    """Where a version lies."""

    store: Store
    folder: str  # relative to the root of the store

    def __str__(self) -> str:
        return f"{self.store.root}/{self.folder}"


def default_root() -> str:
    """The folder that refs are looked up in: $GROUPSTREAM_ROOT, or ~/groupstream."""
    return os.environ.get(ROOT_VARIABLE) or str(Path(DEFAULT_ROOT).expanduser())


def resolve(ref: str | os.PathLike[str], root: str | None = None) -> Location:
    """Finds the version that `ref` names.

    Raises:
        RefNotFoundError: nothing published is named so.
    """
    text = os.fspath(ref)
    name, _, wanted = text.partition("@")
    if not is_name(name) or (Path(text) / MANIFEST).is_file():
        return _at_path(text)
    store = open_store(root or default_root())
    versions = published_versions(store, name)
    if not versions:
        raise RefNotFoundError(
            f"no dataset {name!r} in {store.root}. List what is there with: groupstream ls --root {store.root}"
        )
    if wanted in ("", "latest"):
        return Location(store, f"{name}/{versions[-1]}")
    if wanted not in versions:
        raise RefNotFoundError(
            f"{text} not found; newest is {versions[-1]}. List the versions with: groupstream ls {name}"
        )
    return Location(store, f"{name}/{wanted}")


def published_versions(store: Store, name: str) -> list[str]:
    """The versions that have a manifest, oldest number first. One request a version."""
    found = [v for v in store.folders(name) if is_version(v)]
    return sorted((v for v in found if store.size_bytes(f"{name}/{v}/{MANIFEST}") is not None), key=version_key)


def _at_path(text: str) -> Location:
    folder = Path(text).expanduser().absolute()
    if not (folder / MANIFEST).is_file():
        hint = "not a published version: it has no manifest.json" if folder.is_dir() else "no such folder"
        raise RefNotFoundError(f"{text}: {hint}. List what is published with: groupstream ls")
    return Location(open_store(str(folder.parent)), folder.name)
