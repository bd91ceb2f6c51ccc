"""Earlier versions of a dataset: the one that a spec compares a new version with, and the one before a number."""

from __future__ import annotations

from groupstream import SpecError
from groupstream.dataset import Dataset, open_dataset
from groupstream.layout import is_version, version_key
from groupstream.refs import published_versions
from groupstream.stores import Store

_LATEST = "latest"
_SHOWN_VERSIONS = 5


def earlier_version(store: Store, name: str, compare_to: str) -> Dataset | None:
    """The version that `checks.drift.compare_to` means. Reads its manifest only.

    Args:
        store: where versions are published.
        name: of the dataset that is built.
        compare_to: `latest` or `1.2.0`, of this dataset; or of any other in the store, as `name@latest`.

    Returns:
        None where it is the latest of this dataset and none is published yet.

    Raises:
        SpecError: there is no such version, or nothing is called so.
    """
    other, _, wanted = compare_to.rpartition("@")
    dataset = other or name
    published = published_versions(store, dataset)
    if wanted == _LATEST and not published and dataset == name:
        return None
    return _open(store, dataset, _version_of(wanted, dataset, published, store, compare_to))


def previous_version(store: Store, name: str, version: str) -> Dataset | None:
    """The newest published version with a smaller number. Reads its manifest only."""
    earlier = [other for other in published_versions(store, name) if version_key(other) < version_key(version)]
    return _open(store, name, earlier[-1]) if earlier else None


def _version_of(wanted: str, dataset: str, published: list[str], store: Store, compare_to: str) -> str:
    """The number that is meant. Aliases of a version, once there are any, are to be resolved here."""
    if wanted == _LATEST and published:
        return published[-1]
    if wanted in published:
        return wanted
    asked = f"checks.drift.compare_to {compare_to!r}"
    if not published:
        raise SpecError(f"{asked}: nothing is published of {dataset!r} in {store.root}; correct it or leave it out")
    there = f"{', '.join(published[-_SHOWN_VERSIONS:])}{' (the newest)' if len(published) > _SHOWN_VERSIONS else ''}"
    if is_version(wanted):
        raise SpecError(f"{asked}: {dataset} has no version {wanted}; published are {there}. Write one, or latest")
    raise SpecError(f"{asked}: {wanted!r} is no version of {dataset}; write latest or a number: {there}")


def _open(store: Store, name: str, version: str) -> Dataset:
    return open_dataset(f"{name}@{version}", store.root)
