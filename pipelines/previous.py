"""Earlier versions of a dataset: the one that a spec compares a new version with, and the one before a number."""

from __future__ import annotations

from groupstream import SpecError
from groupstream.dataset import Dataset, open_dataset, open_location
from groupstream.layout import is_version, version_key
from groupstream.refs import Location, published_versions, resolve_alias
from groupstream.stores import Store

_LATEST = "latest"
_SHOWN_VERSIONS = 5


def earlier_version(store: Store, name: str, compare_to: str) -> Dataset | None:
    """The version that `checks.drift.compare_to` means. Reads its manifest only.

    Args:
        store: where versions are published.
        name: of the dataset that is built.
        compare_to: an alias such as `latest`, or `1.2.0`, of this dataset; or of any other in the store, as
            `name@latest`.

    Returns:
        None where it is the latest of this dataset and none is published yet.

    Raises:
        SpecError: there is no such version, or nothing is called so.

    Warns:
        DeprecatedVersionWarning: it should not be used any more.
    """
    other, _, wanted = compare_to.rpartition("@")
    dataset = other or name
    published = published_versions(store, dataset)
    if wanted == _LATEST and not published and dataset == name:
        return None
    version = _version_of(wanted, dataset, published, store, compare_to)
    return open_dataset(f"{dataset}@{version}", store.root)


def previous_version(store: Store, name: str, version: str) -> Dataset | None:
    """The published version with the next smaller number, deprecated or not. Reads its manifest only."""
    earlier = [other for other in published_versions(store, name) if version_key(other) < version_key(version)]
    return open_location(Location(store, f"{name}/{earlier[-1]}")) if earlier else None


def _version_of(wanted: str, dataset: str, published: list[str], store: Store, compare_to: str) -> str:
    """The number that is meant."""
    version = wanted if is_version(wanted) or not published else resolve_alias(store, dataset, wanted)
    if version in published:
        return version
    asked = f"checks.drift.compare_to {compare_to!r}"
    if not published:
        raise SpecError(f"{asked}: nothing is published of {dataset!r} in {store.root}; correct it or leave it out")
    there = f"{', '.join(published[-_SHOWN_VERSIONS:])}{' (the newest)' if len(published) > _SHOWN_VERSIONS else ''}"
    if is_version(wanted):
        raise SpecError(f"{asked}: {dataset} has no version {wanted}; published are {there}. Write one, or latest")
    if version is not None:
        raise SpecError(
            f"{asked}: it leads to {version}, which cannot be opened; published are {there}. "
            "Have the store mended with: groupstream doctor"
        )
    raise SpecError(f"{asked}: {wanted!r} is no version of {dataset}; write an alias or a number: {there}")
