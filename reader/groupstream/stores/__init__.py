"""Where versions lie, behind one small interface. Paths are relative to the root, with forward slashes."""

from groupstream.errors import UsageError
from groupstream.stores.address import is_url, parse_address
from groupstream.stores.gcs import GcsStore
from groupstream.stores.http import HttpStore
from groupstream.stores.local import LocalStore
from groupstream.stores.s3 import S3Store
from groupstream.stores.store import Store, StoredObject, Tagged

__all__ = ["GcsStore", "HttpStore", "LocalStore", "S3Store", "Store", "StoredObject", "Tagged", "is_url", "open_store"]

_REMOTE: dict[str, type[GcsStore] | type[S3Store] | type[HttpStore]] = {
    "gs": GcsStore,
    "s3": S3Store,
    "http": HttpStore,
    "https": HttpStore,
}


def open_store(root: str) -> Store:
    """The store at `root`: a local folder, `gs://bucket/prefix`, `s3://bucket/prefix` or `https://host/prefix`.

    No request is made, and no library loaded, before the first read or write.

    Raises:
        UsageError: there is no store for such an address.
    """
    if not is_url(root):
        return LocalStore(root)
    scheme = parse_address(root).scheme
    if scheme not in _REMOTE:
        raise UsageError(f"{root}: there is no store for {scheme}://; use a local folder, gs://, s3:// or https://")
    return _REMOTE[scheme](root)
