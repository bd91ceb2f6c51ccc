"""Which versions there are, where there are thousands."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from groupstream.catalog import DatasetCatalog
from groupstream.catalog.lookup import published_versions
from groupstream.layout import CATALOG
from groupstream.stores import LocalStore


class ListedStore(LocalStore):
    """A store of one dataset, in memory: every version of its catalog has a manifest."""

    def __init__(self, catalog: DatasetCatalog) -> None:
        super().__init__(Path("/nowhere"))
        self._content, self._versions = catalog.to_json(), [each.version for each in catalog.versions]

    def folders(self, prefix: str) -> list[str]:
        return self._versions

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        assert path.endswith(CATALOG)
        return self._content

    def size_bytes(self, path: str) -> int | None:
        return 1


def seconds(count: int, published: Any) -> float:
    """Of all threads: what else the machine does costs nothing here."""
    one = published("1.0.0")
    versions = tuple(one.model_copy(update={"version": f"1.{number}.0"}) for number in range(count))
    store = ListedStore(DatasetCatalog(name="text", versions=versions))
    start = time.process_time()
    assert published_versions(store, "text") == [each.version for each in versions]
    return time.process_time() - start


def test_eight_times_as_many_versions_take_about_eight_times_as_long(published: Any) -> None:
    few, many = (min(seconds(count, published) for _ in range(3)) for count in (1_000, 8_000))
    assert many < 16 * few
