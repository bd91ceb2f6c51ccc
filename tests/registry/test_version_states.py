"""What leads a version from one state to another is as the table of docs/registry.md says."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from groupstream.catalog import DatasetCatalog
from groupstream.catalog.changes import set_deleted, set_deprecated
from groupstream.manifest import Manifest
from registry import Registry, RegistryError
from registry.states import VersionState

MONDAY = datetime(2024, 1, 1, 12, tzinfo=UTC)
DIGEST = "a" * 64
PAGE = Path(__file__).parents[2] / "docs" / "registry.md"
_, TABLE = PAGE.read_text(encoding="utf-8").split("\n| From |")
DEEDS, _, *LINES = (
    [cell.strip() for cell in line.strip("|").split("|")] for line in TABLE.split("\n\n")[0].splitlines()
)
AFTER = {state: dict(zip(DEEDS, after, strict=True)) for state, *after in LINES}


class Hands:
    """Does one deed to the first version of a dataset."""

    def __init__(self, registry: Registry, manifest: Manifest, catalog: DatasetCatalog) -> None:
        self._registry, self._manifest, self._catalog = registry, manifest, catalog

    def state(self) -> str:
        return next((each.state for each in self._registry.versions(self._manifest.name)), "-")

    def reserve(self) -> None:
        self._registry.reserve_version(self._manifest, "/data", "r2")

    def publish(self) -> None:
        self._registry.record_published(self._manifest, "/data", MONDAY)

    def fail(self) -> None:
        self._registry.record_failed("/data", self._manifest.name, "1.0.0", DIGEST)

    def miss(self) -> None:
        self._registry.record_missing("/data/", self._manifest.name, "1.0.0")

    def list(self) -> None:
        self._registry.sync_catalog("/data", self._catalog)

    def deprecate(self) -> None:
        self._registry.sync_catalog("/data", set_deprecated(self._catalog, "1.0.0", "old"))

    def delete(self) -> None:
        self._registry.sync_catalog("/data", set_deleted(self._catalog, "1.0.0", "wrong", MONDAY))


@pytest.fixture
def make_hands(
    registry: Registry, make_manifest: Callable[..., Manifest], make_catalog: Callable[..., DatasetCatalog]
) -> Callable[[str], Hands]:
    return lambda name: Hands(registry, make_manifest(name=name), make_catalog("1.0.0", name=name))


@pytest.fixture
def hands(make_hands: Callable[[str], Hands]) -> Hands:
    return make_hands("fedwiki")


WAYS = {
    "-": "",
    "pending": "reserve",
    "failed": "reserve fail",
    "published": "publish",
    "deprecated": "publish deprecate",
    "deleted": "publish delete",
}


def bring_to(hands: Hands, state: str) -> None:
    for deed in WAYS[state].split():
        getattr(hands, deed)()


def test_the_table_is_of_all_states():
    assert AFTER.keys() == {"-", *VersionState}


@pytest.mark.parametrize("state", AFTER)
def test_deeds_lead_from_one_state_to_another(make_hands: Callable[[str], Hands], state: str):
    found = {}
    for deed in DEEDS:
        hands = make_hands(deed)
        bring_to(hands, state)
        assert hands.state() == state
        refused = AFTER[state][deed] == "!"
        with pytest.raises(RegistryError, match=r"\(wrong\), and its number stays") if refused else nullcontext():
            getattr(hands, deed)()
        found[deed] = "!" if refused and hands.state() == state else hands.state()
    assert found == AFTER[state]


def test_message_comes_and_goes_with_its_state(registry: Registry, hands: Hands):
    hands.deprecate()
    (deprecated,) = registry.versions()
    hands.list()
    (published,) = registry.versions()
    hands.miss()
    (missing,) = registry.versions()
    messages = [each.message for each in (deprecated, published, missing)]
    assert messages == ["old", "", "the store does not hold it"]
    assert published.changed_at < missing.changed_at
    assert deprecated.published_at == missing.published_at


def test_build_that_fails_is_not_another_one(registry: Registry, hands: Hands):
    hands.reserve()
    registry.record_failed("/data", "fedwiki", "1.0.0", "b" * 64)
    registry.record_failed("/elsewhere", "fedwiki", "1.0.0", DIGEST)
    assert [each.state for each in registry.versions()] == ["pending"]


@pytest.mark.parametrize("state", ["pending", "failed"])
def test_number_that_came_to_nothing_may_be_another_builds(
    registry: Registry, hands: Hands, make_manifest: Callable[..., Manifest], state: str
):
    bring_to(hands, state)
    registry.record_published(make_manifest(digest="b" * 64), "/data", MONDAY + timedelta(days=1))
    (record,) = registry.versions()
    assert (record.state, record.digest, record.run_id) == ("published", "b" * 64, None)


def test_deleted_number_stays_that_of_its_build(
    registry: Registry, hands: Hands, make_manifest: Callable[..., Manifest]
):
    bring_to(hands, "deleted")
    with pytest.raises(RegistryError, match=r"is deleted in registry .* a{12}, not b{12}; a version never changes"):
        registry.record_published(make_manifest(digest="b" * 64), "/data", MONDAY)


def test_same_name_in_two_roots_is_two_datasets(
    registry: Registry, hands: Hands, make_manifest: Callable[..., Manifest]
):
    bring_to(hands, "deprecated")
    registry.record_published(make_manifest(digest="b" * 64), "/other", MONDAY)
    assert [(each.root, each.state) for each in registry.versions("fedwiki")] == [
        ("/data", "deprecated"),
        ("/other", "published"),
    ]
    assert [each.digest for each in registry.versions(root="/other/")] == ["b" * 64]
