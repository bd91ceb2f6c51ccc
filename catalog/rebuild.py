"""Writes the catalog of a store anew, also where several do so at once."""

from __future__ import annotations

from catalog.entries import Entries, read_entries
from catalog.page import render_page
from groupstream.layout import CATALOG_PAGE
from groupstream.stores import Store

_ATTEMPTS = 10


def rebuild_catalog(store: Store) -> str | None:
    """Writes the page over all versions of the store.

    It lists again after it wrote, and writes again where a version came in between: so of several that do so at
    once, whoever writes last has seen them all. It gives up after ten times; whoever published what it did not see
    writes after it.

    Returns:
        The address of the page; None where nothing is published, and no page is there that says otherwise.

    Raises:
        UsageError: the store, a web server, does not list.
        StoreError: the store cannot be reached, or does not allow it.
        PublishError: the page cannot be written.
    """
    entries: Entries = read_entries(store)
    if not entries and store.size_bytes(CATALOG_PAGE) is None:
        return None
    for _ in range(_ATTEMPTS):
        store.replace(CATALOG_PAGE, render_page(entries, store.root).encode())
        written, entries = entries, read_entries(store, entries)
        if entries == written:
            break
    return f"{store.root}/{CATALOG_PAGE}"
