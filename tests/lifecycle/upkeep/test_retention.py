"""Which versions a policy keeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from groupstream.catalog import CatalogVersion, DatasetCatalog
from groupstream.layout import version_key
from lifecycle.retention import RetentionPolicy, plan_retention

NOW = datetime(2026, 6, 1, tzinfo=UTC)
OLD = NOW - timedelta(days=400)


def entry(version: str, state: str = "published", days: float = 400, deprecated_days: float | None = None):
    changed = None if deprecated_days is None else NOW - timedelta(days=deprecated_days)
    published = NOW - timedelta(days=days)
    return CatalogVersion(
        version=version, digest="d", manifest_sha256="m", state=state, published_at=published, changed_at=changed
    )


def catalog_of(*versions: CatalogVersion, **aliases: str) -> DatasetCatalog:
    return DatasetCatalog(name="text", versions=versions, aliases=aliases)


def kept(catalog: DatasetCatalog, policy: RetentionPolicy, **used: datetime) -> list[str]:
    last_used = {version.replace("_", ".").lstrip("v"): at for version, at in used.items()}
    return [version for version, is_kept, _ in plan_retention(catalog, last_used, policy, NOW) if is_kept]


FIVE = [entry(f"1.{minor}.0") for minor in range(5)]


def test_the_last_versions_are_kept() -> None:
    assert kept(catalog_of(*FIVE), RetentionPolicy(keep_last=2)) == ["1.3.0", "1.4.0"]


def test_deleted_versions_take_no_place_among_the_last() -> None:
    catalog = catalog_of(*FIVE[:4], entry("1.4.0", "deleted"))
    assert kept(catalog, RetentionPolicy(keep_last=2)) == ["1.2.0", "1.3.0"]


def test_what_an_alias_leads_to_is_kept() -> None:
    decisions = plan_retention(catalog_of(*FIVE, stable="1.0.0", latest="1.4.0"), {}, RetentionPolicy(keep_last=1), NOW)
    assert [d.version for d in decisions if d.is_kept] == ["1.0.0", "1.4.0"]
    assert decisions[0].reason == "has the alias stable"


def test_what_was_used_lately_is_kept() -> None:
    policy = RetentionPolicy(keep_last=1, keep_used_days=30)
    used = {"v1_0_0": NOW - timedelta(days=29), "v1_1_0": NOW - timedelta(days=31), "v1_2_0": NOW + timedelta(days=1)}
    assert kept(catalog_of(*FIVE), policy, **used) == ["1.0.0", "1.2.0", "1.4.0"]


def test_what_was_published_lately_is_kept() -> None:
    catalog = catalog_of(entry("1.0.0", days=6), entry("1.1.0", days=8), entry("1.2.0"))
    assert kept(catalog, RetentionPolicy(keep_last=1, keep_newer_than_days=7)) == ["1.0.0", "1.2.0"]


def test_what_was_deprecated_long_ago_goes_where_that_is_wanted() -> None:
    catalog = catalog_of(*FIVE[:3], entry("1.3.0", "deprecated", deprecated_days=40), entry("1.4.0"))
    assert kept(catalog, RetentionPolicy(keep_last=2)) == ["1.3.0", "1.4.0"]
    assert kept(catalog, RetentionPolicy(keep_last=2, drop_deprecated_days=50)) == ["1.3.0", "1.4.0"]
    assert kept(catalog, RetentionPolicy(keep_last=2, drop_deprecated_days=30)) == ["1.2.0", "1.4.0"]


def test_reasons_say_what_decided() -> None:
    catalog = catalog_of(*FIVE)
    policy = RetentionPolicy(keep_last=2, keep_used_days=1)
    used = {"1.1.0": NOW}
    assert [d.reason for d in plan_retention(catalog, used, policy, NOW)] == [
        "not among the last 2, and not used for 1 day",
        "was used on 2026-06-01",
        "not among the last 2, and not used for 1 day",
        "is among the last 2",
        "is the newest",
    ]


@pytest.mark.parametrize("field", ["keep_last", "grace_hours", "keep_used_days", "keep_abandoned_hours"])
def test_a_policy_that_keeps_nothing_is_refused(field: str) -> None:
    with pytest.raises(ValidationError):
        RetentionPolicy(**{field: -1 if field != "keep_last" else 0})


moments = st.floats(0, 1_000).map(lambda days: NOW - timedelta(days=days))
numbers = st.tuples(*[st.integers(0, 3)] * 3).map(lambda parts: "{}.{}.{}".format(*parts))


@st.composite
def catalogs(draw) -> DatasetCatalog:
    versions = sorted(draw(st.sets(numbers, max_size=8)), key=version_key)
    states = st.sampled_from(["published", "published", "deprecated", "deleted"])
    entries = tuple(
        CatalogVersion(
            version=version,
            digest="d",
            manifest_sha256="m",
            state=draw(states),
            published_at=draw(moments),
            changed_at=draw(st.none() | moments),
        )
        for version in versions
    )
    readable = [each.version for each in entries if each.is_readable]
    names = st.sampled_from(["latest", "stable", "old"])
    aliases = draw(st.dictionaries(names, st.sampled_from(readable), max_size=3)) if readable else {}
    return DatasetCatalog(name="text", versions=entries, aliases=aliases)


policies = st.builds(
    RetentionPolicy,
    keep_last=st.integers(1, 5),
    keep_used_days=st.integers(0, 500),
    keep_newer_than_days=st.integers(0, 500),
    drop_deprecated_days=st.none() | st.integers(0, 500),
)


@given(catalogs(), st.dictionaries(numbers, moments, max_size=4), policies)
def test_no_policy_deletes_what_is_aliased_latest_newest_or_in_use(catalog, used, policy) -> None:
    decisions = plan_retention(catalog, used, policy, NOW)
    assert [each.version for each in decisions] == catalog.readable()
    gone = {each.version for each in decisions if not each.is_kept}
    assert not gone & set(catalog.aliases.values())
    assert catalog.newest() not in gone
    assert not gone & {v for v, at in used.items() if NOW - at < timedelta(days=policy.keep_used_days)}
    young = {v.version for v in catalog.versions if NOW - v.published_at < timedelta(days=policy.keep_newer_than_days)}
    deprecated = {v.version for v in catalog.versions if v.state == "deprecated"}
    assert not gone & young - deprecated
    if policy.drop_deprecated_days is None:
        assert not gone & set(catalog.readable()[-policy.keep_last :])
    assert all(each.reason for each in decisions)


@given(catalogs(), st.dictionaries(numbers, moments, max_size=4), policies)
def test_after_the_deletion_the_same_policy_deletes_nothing_more(catalog, used, policy) -> None:
    gone = {each.version for each in plan_retention(catalog, used, policy, NOW) if not each.is_kept}
    left = catalog.model_copy(update={"versions": tuple(v for v in catalog.versions if v.version not in gone)})
    assert all(each.is_kept for each in plan_retention(left, used, policy, NOW))
