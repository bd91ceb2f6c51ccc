"""One dataset of many versions: its catalog, the page over it, and what each new version must read and write."""

from __future__ import annotations

import functools
import shutil
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.fedc4_size.found import Found
from benchmarks.fedc4_size.names import NAME, NUM_SHARDS, ROOT, version_folder
from benchmarks.fedc4_size.shard_cases import make_manifest
from groupstream import Manifest, layout
from groupstream.catalog import LATEST, CatalogVersion, DatasetCatalog, describe_published
from groupstream.catalog.changes import add_version
from groupstream.catalog.files import read_catalog, update_catalog
from groupstream.catalog.lookup import published_versions
from groupstream.stores import open_store

_AT = datetime(2027, 1, 1, tzinfo=UTC)


def make_catalog(folder: Path, num_versions: int) -> None:
    """A catalog, a folder for each version with what stands for its manifest, and a registry that has them all."""
    from registry import Registry

    if (folder / "whole").exists():
        return
    make_manifest(folder / "version", NUM_SHARDS)
    described = _described(folder)
    versions = tuple(described.model_copy(update={"version": f"1.{number}.0"}) for number in range(num_versions))
    aliases = {LATEST: versions[-1].version}
    catalog = DatasetCatalog(name=NAME, versions=versions, aliases=aliases, revision=num_versions)
    shutil.rmtree(folder / "root", ignore_errors=True)
    for version in versions:
        path = folder / "root" / NAME / version.version
        path.mkdir(parents=True)
        (path / layout.MANIFEST).touch()
    (folder / "root" / NAME / layout.CATALOG).write_bytes(catalog.to_json())
    with closing(Registry(_url(folder))) as registry:
        registry.sync_catalog(ROOT, catalog)
    (folder / "whole").touch()


def page(folder: Path) -> Found:
    """The catalog page."""
    from catalog import rebuild_catalog

    found, store = Found(), open_store(_root(folder))
    with found.timed("catalog page"):
        rebuild_catalog(store)
    found.bytes["catalog page"] = (folder / "root" / layout.CATALOG_PAGE).stat().st_size
    return found


def look(folder: Path) -> Found:
    """Which versions there are, as each build asks."""
    found, store = Found(), open_store(_root(folder))
    with found.timed("which versions are published"):
        versions = published_versions(store, NAME)
    with found.timed("read the catalog"):
        catalog = read_catalog(store, NAME)
    if catalog is None or catalog.readable() != versions:
        raise RuntimeError("the catalog and the folders differ")
    found.bytes["catalog.json"] = (folder / "root" / NAME / layout.CATALOG).stat().st_size
    return found


def publish(folder: Path) -> Found:
    """One version more, in the catalog and in the registry; it is taken out again."""
    from registry import Registry

    found, store = Found(), open_store(_root(folder))
    path = folder / "root" / NAME / layout.CATALOG
    before = path.read_bytes()
    more = _described(folder).model_copy(update={"version": "2.0.0"})
    with found.timed("add a version to the catalog"):
        catalog = update_catalog(store, NAME, functools.partial(add_version, published=more))
    path.write_bytes(before)
    with closing(Registry(_url(folder))) as registry, found.timed("copy the catalog to the registry"):
        registry.sync_catalog(ROOT, catalog)
    return found


def _described(folder: Path) -> CatalogVersion:
    content = (version_folder(folder / "version") / layout.MANIFEST).read_bytes()
    return describe_published(Manifest.from_json(content, layout.MANIFEST), content, _AT, "run")


def _root(folder: Path) -> str:
    return str(folder / "root")


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'registry.db'}"
