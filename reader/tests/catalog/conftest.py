"""Catalogs, and stores of every kind that have some."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from groupstream.catalog import CatalogVersion, DatasetCatalog
from groupstream.catalog.changes import add_version

NOW = datetime(2026, 11, 28, 20, tzinfo=UTC)

Published = Callable[..., CatalogVersion]


@pytest.fixture(scope="session")
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def published() -> Published:
    """A version as it is published; the manifest of each number is another one."""

    def make(version: str, **fields: Any) -> CatalogVersion:
        about: dict[str, Any] = {"digest": "d", "manifest_sha256": f"sha of {version}", "published_at": NOW, **fields}
        return CatalogVersion(version=version, **about)

    return make


@pytest.fixture(scope="session")
def catalog_of(published: Published) -> Callable[..., DatasetCatalog]:
    """A catalog of these versions."""

    def make(*versions: str) -> DatasetCatalog:
        catalog = DatasetCatalog(name="text")
        for version in versions:
            catalog = add_version(catalog, published(version))
        return catalog

    return make
