"""The catalog: one page over all versions of a store."""

from catalog.entries import read_entries
from catalog.page import render_page
from catalog.rebuild import rebuild_catalog

__all__ = ["read_entries", "rebuild_catalog", "render_page"]
