"""Where versions lie, behind one small interface. Paths are relative to the root, with forward slashes."""

from groupstream.stores.local import LocalStore
from groupstream.stores.store import Store

__all__ = ["LocalStore", "Store", "open_store"]


def open_store(root: str) -> Store:
    """The store at `root`: a local folder."""
    return LocalStore(root)
