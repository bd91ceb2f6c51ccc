"""Reads and writes the catalogs of a store. Writing is compare and swap: nobody's change is lost."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from typing import TypeVar

from groupstream.canonical import canonical_json
from groupstream.catalog.model import CATALOG_FORMAT, DatasetCatalog, newer_format
from groupstream.errors import CorruptError, PublishError
from groupstream.layout import CATALOG, is_name
from groupstream.stores import HttpStore, Store

Result = TypeVar("Result")

_ATTEMPTS = 40
_MAX_WAIT_SECONDS = 2.0  # Google takes one write of an object a second


def read_catalog(store: Store, name: str) -> DatasetCatalog | None:
    """The catalog of a dataset, None where there is none. One request.

    Raises:
        CorruptError: what is there is none.
        StoreError: the store cannot be reached, or does not allow it.
    """
    return read_catalog_at(store, f"{name}/{CATALOG}")


def read_catalog_at(store: Store, path: str) -> DatasetCatalog | None:
    """The same by its path, which in a store that begins in the folder of the dataset is another one."""
    try:
        content = store.read(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return DatasetCatalog.from_json(content, f"{store.root}/{path}")


def update_catalog(store: Store, name: str, change: Callable[[DatasetCatalog], DatasetCatalog]) -> DatasetCatalog:
    """Changes the catalog of a dataset, from an empty one where there is none.

    Args:
        change: a function of `changes`. It is called again where somebody else was faster, and where it changes
            nothing, nothing is written.

    Returns:
        The catalog as it is now.

    Raises:
        CorruptError: what is there is no catalog.
        PublishError: the store refuses the write, or others were faster 40 times in a row.
    """
    path = f"{name}/{CATALOG}"

    def changed(content: bytes | None) -> tuple[DatasetCatalog, bytes]:
        before = (
            DatasetCatalog(name=name) if content is None else DatasetCatalog.from_json(content, f"{store.root}/{path}")
        )
        after = change(before)
        if content is not None and after == before:
            return before, content
        after = after.model_copy(update={"revision": after.revision + 1})
        return after, after.to_json()

    catalog = _swapped(store, path, changed)
    ensure_listed(store, name)
    return catalog


def dataset_names(store: Store) -> list[str]:
    """The datasets of a store, sorted: its folders; on a web server, which does not list, those of the catalog.

    Raises:
        CorruptError: on a web server, the catalog is none.
        StoreError: the store cannot be reached, or does not allow it.
        UsageError: a web server has no catalog.
    """
    names = (_listed(store) if isinstance(store, HttpStore) else None) or store.folders("")
    return sorted(name for name in names if is_name(name))


def ensure_listed(store: Store, name: str) -> None:
    """Sees to it that the catalog in the root has the name. One request where it has."""
    if name in _listed(store):
        return

    def changed(content: bytes | None) -> tuple[None, bytes]:
        names = sorted({*_names_in(content, f"{store.root}/{CATALOG}"), name})
        return None, canonical_json({"format_version": CATALOG_FORMAT, "datasets": names})

    _swapped(store, CATALOG, changed)


def _listed(store: Store) -> list[str]:
    try:
        return _names_in(store.read(CATALOG), f"{store.root}/{CATALOG}")
    except (FileNotFoundError, NotADirectoryError):
        return []


def _names_in(content: bytes | None, where: str) -> list[str]:
    if content is None:
        return []
    try:
        fields = json.loads(content)
        found, names = int(fields["format_version"]), [str(name) for name in fields["datasets"]]
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise CorruptError(f"{where} is not a catalog. Mend it with: groupstream doctor") from error
    if found > CATALOG_FORMAT:
        raise newer_format(where, found)
    return names


def _swapped(store: Store, path: str, changed: Callable[[bytes | None], tuple[Result, bytes]]) -> Result:
    """Reads, changes and swaps until nobody came in between. `changed` gives a result, and the content to write."""
    for attempt in range(_ATTEMPTS):
        found = store.read_tagged(path)
        result, content = changed(found and found.content)
        if (found and found.content) == content or store.swap(path, content, found and found.tag):
            return result
        time.sleep(random.uniform(0, min(_MAX_WAIT_SECONDS, 0.02 * 2**attempt)))
    raise PublishError(
        f"{store.root}/{path} was changed by others {_ATTEMPTS} times in a row; try again when fewer publish at once"
    )
