"""Which version is meant by the earlier one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from groupstream import Dataset, DeprecatedVersionWarning, Manifest, SpecError
from groupstream.catalog import DatasetCatalog, describe_published, update_catalog
from groupstream.catalog.changes import add_version, set_alias, set_deleted, set_deprecated
from groupstream.manifest import Counts
from groupstream.stores import LocalStore
from pipelines.previous import earlier_version, previous_version


def publish(store: LocalStore, name: str, version: str) -> None:
    nothing = {"spec": {}, "source": {}, "code": {}, "seed": 0, "features": {}, "group_feature": "", "splits": {}}
    counts = Counts(examples_in=0, examples_out=0)
    manifest = Manifest(name=name, version=version, digest="", counts=counts, **nothing)
    store.put_if_absent(f"{name}/{version}/manifest.json", manifest.to_json())


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """news 1.0.0, 2.0.0 and 10.0.0; 11.0.0 is claimed only. wiki 3.0.0."""
    store = LocalStore(tmp_path / "datasets")
    for version in ("1.0.0", "10.0.0", "2.0.0"):
        publish(store, "news", version)
    publish(store, "wiki", "3.0.0")
    store.put_if_absent("news/11.0.0/claim.json", b"{}")
    return store


def ref(dataset: Dataset | None) -> str | None:
    return None if dataset is None else dataset.manifest.ref


@pytest.mark.parametrize(
    ("compare_to", "found"),
    [
        ("latest", "news@10.0.0"),
        ("news@latest", "news@10.0.0"),
        ("2.0.0", "news@2.0.0"),
        ("news@1.0.0", "news@1.0.0"),
        ("wiki@latest", "wiki@3.0.0"),
        ("wiki@3.0.0", "wiki@3.0.0"),
    ],
)
def test_latest_and_numbers_are_found(store: LocalStore, compare_to: str, found: str) -> None:
    assert ref(earlier_version(store, "news", compare_to)) == found


@pytest.mark.parametrize("compare_to", ["latest", "books@latest"])
def test_the_first_version_has_no_earlier_one(store: LocalStore, compare_to: str) -> None:
    assert earlier_version(store, "books", compare_to) is None


@pytest.mark.parametrize(
    ("name", "compare_to", "message"),
    [
        ("news", "3.0.0", "'3.0.0': news has no version 3.0.0; published are 1.0.0, 2.0.0, 10.0.0"),
        ("news", "11.0.0", "has no version 11.0.0"),
        ("news", "wiki@2.0.0", "'wiki@2.0.0': wiki has no version 2.0.0; published are 3.0.0. Write one, or latest"),
        (
            "news",
            "stable",
            "'stable': 'stable' is no version of news; write an alias or a number: 1.0.0, 2.0.0",
        ),
        ("news", "1.0", "'1.0' is no version of news"),
        ("books", "stable", "nothing is published of 'books' in .*datasets; correct it or leave it out"),
        ("books", "1.0.0", "nothing is published of 'books'"),
        ("news", "typo@latest", "nothing is published of 'typo'"),
    ],
)
def test_what_is_not_there_is_refused_and_what_is_there_named(
    store: LocalStore, name: str, compare_to: str, message: str
) -> None:
    with pytest.raises(SpecError, match=f"checks.drift.compare_to .*{message}"):
        earlier_version(store, name, compare_to)


def test_of_many_versions_the_newest_are_named(store: LocalStore) -> None:
    for major in range(20, 30):
        publish(store, "news", f"{major}.0.0")
    with pytest.raises(SpecError, match=r"published are 25.0.0, 26.0.0, 27.0.0, 28.0.0, 29.0.0 \(the newest\)"):
        earlier_version(store, "news", "3.0.0")


@pytest.mark.parametrize(
    ("version", "found"),
    [("1.0.0", None), ("1.0.1", "news@1.0.0"), ("10.0.0", "news@2.0.0"), ("99.0.0", "news@10.0.0")],
)
def test_the_version_before_a_number_is_the_next_smaller_one(
    store: LocalStore, version: str, found: str | None
) -> None:
    assert ref(previous_version(store, "news", version)) == found


def test_nothing_is_before_the_first_version_of_all(store: LocalStore) -> None:
    assert previous_version(store, "books", "1.0.0") is None


NOW = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.fixture
def cataloged(store: LocalStore) -> LocalStore:
    """The same with a catalog of news: `stable` is 1.0.0, `latest` was taken back to 2.0.0."""

    def change(catalog: DatasetCatalog) -> DatasetCatalog:
        for version in ("1.0.0", "2.0.0", "10.0.0"):
            content = store.read(f"news/{version}/manifest.json")
            catalog = add_version(catalog, describe_published(Manifest.from_json(content, ""), content, NOW, None))
        return set_alias(set_alias(catalog, "stable", "1.0.0", NOW), "latest", "2.0.0", NOW)

    update_catalog(store, "news", change)
    return store


@pytest.mark.parametrize(
    ("compare_to", "found"),
    [("stable", "news@1.0.0"), ("news@stable", "news@1.0.0"), ("latest", "news@2.0.0"), ("10.0.0", "news@10.0.0")],
)
def test_an_alias_is_found_in_the_catalog(cataloged: LocalStore, compare_to: str, found: str) -> None:
    assert ref(earlier_version(cataloged, "news", compare_to)) == found
    assert ref(earlier_version(cataloged, "wiki", "news@stable")) == "news@1.0.0"


def test_a_deleted_version_is_no_earlier_one(cataloged: LocalStore) -> None:
    update_catalog(cataloged, "news", lambda c: set_deleted(c, "10.0.0", "wrong", NOW))
    assert ref(previous_version(cataloged, "news", "11.0.0")) == "news@2.0.0"
    with pytest.raises(SpecError, match=r"news has no version 10\.0\.0; published are 1\.0\.0, 2\.0\.0\."):
        earlier_version(cataloged, "news", "10.0.0")


def test_who_compares_with_a_deprecated_version_is_told_and_who_builds_the_next_one_is_not(
    cataloged: LocalStore,
) -> None:
    update_catalog(cataloged, "news", lambda c: set_deprecated(c, "10.0.0", "half of it is missing", NOW))
    with pytest.warns(DeprecatedVersionWarning, match=r"^news@10\.0\.0 is deprecated: half of it is missing; newest"):
        earlier_version(cataloged, "news", "10.0.0")
    assert ref(previous_version(cataloged, "news", "11.0.0")) == "news@10.0.0"


def test_an_alias_of_what_is_gone_is_an_error(cataloged: LocalStore) -> None:
    cataloged.delete("news/1.0.0/manifest.json")
    with pytest.raises(SpecError, match=r"'stable': it leads to 1\.0\.0, which cannot be opened; .* doctor"):
        earlier_version(cataloged, "news", "stable")
