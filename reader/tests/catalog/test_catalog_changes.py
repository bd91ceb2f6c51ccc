from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groupstream import ConflictError, GroupstreamError, RefNotFoundError, UsageError
from groupstream.catalog import CatalogVersion, DatasetCatalog
from groupstream.catalog.changes import (
    MAX_MOVES,
    add_version,
    remove_alias,
    set_alias,
    set_deleted,
    set_deprecated,
)
from groupstream.layout import version_key

Change = Callable[[DatasetCatalog], DatasetCatalog]

NOW = datetime(2026, 11, 28, 20, tzinfo=UTC)
NUMBERS = st.builds("{}.{}.{}".format, *[st.integers(0, 11)] * 3)
ALIASES = st.sampled_from(["latest", "stable", "candidate", "a-1"])


def a_version(number: str) -> CatalogVersion:
    return CatalogVersion(version=number, digest="d", manifest_sha256=f"sha of {number}", published_at=NOW)


def changes(numbers: st.SearchStrategy[str]) -> st.SearchStrategy[Change]:
    """Any change, of any of these versions."""
    message = st.none() | st.text(max_size=3)
    made = [
        st.tuples(
            st.just("add"), st.builds(a_version, numbers), st.lists(ALIASES, max_size=3, unique=True)
        ).map(lambda t: functools.partial(add_version, published=t[1], aliases=t[2], by="me")),
        st.tuples(ALIASES, numbers).map(lambda t: functools.partial(set_alias, alias=t[0], version=t[1], at=NOW)),
        ALIASES.map(lambda alias: functools.partial(remove_alias, alias=alias, at=NOW)),
        st.tuples(numbers, message).map(
            lambda t: functools.partial(set_deprecated, version=t[0], message=t[1], at=NOW, by="me")
        ),
        numbers.map(lambda number: functools.partial(set_deleted, version=number, reason="old", at=NOW)),
    ]  # fmt: skip
    return st.one_of(*made)


def after(catalog: DatasetCatalog, *made: Change) -> DatasetCatalog:
    """What is refused changes nothing."""
    for change in made:
        with contextlib.suppress(GroupstreamError):
            catalog = change(catalog)
    return catalog


FEW = st.sampled_from(["1.0.0", "1.2.0", "1.10.0", "2.0.0"])


@given(st.lists(changes(FEW), max_size=12), changes(FEW))
@settings(max_examples=400)
def test_a_change_that_is_made_again_changes_nothing(earlier: list[Change], change: Change) -> None:
    before = after(DatasetCatalog(name="text"), *earlier)
    try:
        once = change(before)
    except GroupstreamError as first:
        with pytest.raises(type(first), match=re.escape(str(first))):
            change(before)
        return
    assert change(once) == once


@given(st.lists(changes(FEW), max_size=25))
@settings(max_examples=400)
def test_whatever_happens_the_catalog_is_one(made: list[Change]) -> None:
    catalog = after(DatasetCatalog(name="text"), *made)
    numbers = [each.version for each in catalog.versions]
    assert numbers == sorted(set(numbers), key=version_key)
    assert set(catalog.aliases.values()) <= set(catalog.readable()), "no alias leads to what cannot be opened"
    assert ("latest" in catalog.aliases) == bool(catalog.readable())
    assert _replayed(catalog) == catalog.aliases, "the history tells how the aliases came to be"
    assert DatasetCatalog.from_json(catalog.to_json(), "here") == catalog


def _replayed(catalog: DatasetCatalog) -> dict[str, str]:
    aliases: dict[str, str] = {}
    for move in catalog.history:
        if move.version is None:
            del aliases[move.alias]
        else:
            aliases[move.alias] = move.version
    return aliases


@given(st.lists(changes(FEW), max_size=12), FEW)
def test_a_deleted_version_never_comes_back(made: list[Change], number: str) -> None:
    catalog = after(DatasetCatalog(name="text"), functools.partial(add_version, published=a_version("9.0.0")))
    catalog = after(catalog, functools.partial(add_version, published=a_version(number)))
    catalog = set_deleted(catalog, number, "old", NOW)
    deleted = catalog.get(number)
    assert after(catalog, *made).get(number) == deleted


@given(st.lists(NUMBERS, min_size=1, max_size=8, unique=True))
def test_versions_stand_in_the_order_of_numbers_and_latest_is_the_largest(numbers: list[str]) -> None:
    catalog = DatasetCatalog(name="text")
    for number in numbers:
        catalog = add_version(catalog, a_version(number))
    assert [each.version for each in catalog.versions] == sorted(numbers, key=version_key)
    assert catalog.aliases == {"latest": max(numbers, key=version_key)}


def test_latest_stays_where_a_smaller_number_comes_and_where_somebody_took_it_back(
    catalog_of: Any, published: Any
) -> None:
    catalog = add_version(catalog_of("2.0.0"), published("1.5.0"))
    assert catalog.aliases["latest"] == "2.0.0"
    catalog = set_alias(catalog, "latest", "1.5.0", NOW)
    assert add_version(catalog, published("1.4.9")).aliases["latest"] == "1.5.0"
    assert add_version(catalog, published("2.0.0")).aliases["latest"] == "1.5.0", "what is known moves nothing"
    assert add_version(catalog, published("2.0.1")).aliases["latest"] == "2.0.1"


def test_aliases_of_a_build_move_to_its_version_and_say_who_moved_them(catalog_of: Any, published: Any) -> None:
    catalog = set_alias(catalog_of("1.0.0"), "candidate", "1.0.0", NOW, "ann")
    catalog = add_version(catalog, published("0.9.0"), ["candidate", "latest"], "run 7")
    assert catalog.aliases == {"latest": "1.0.0", "candidate": "0.9.0"}
    assert [(m.alias, m.version, m.by) for m in catalog.history] == [
        ("latest", "1.0.0", ""),
        ("candidate", "1.0.0", "ann"),
        ("candidate", "0.9.0", "run 7"),
    ]


def test_the_history_keeps_the_newest_moves(catalog_of: Any) -> None:
    catalog = catalog_of("1.0.0", "2.0.0")
    for n in range(MAX_MOVES):
        catalog = set_alias(catalog, "stable", f"{1 + n % 2}.0.0", NOW)
    assert len(catalog.history) == MAX_MOVES
    assert {move.alias for move in catalog.history} == {"stable"}


def test_deprecation_is_set_and_taken_back_with_who_and_when(catalog_of: Any) -> None:
    catalog = set_deprecated(catalog_of("1.0.0", "2.0.0"), "2.0.0", "half of it is missing", NOW, "ann")
    known = catalog.get("2.0.0")
    assert (known.state, known.message, known.changed_at, known.changed_by) == (
        "deprecated", "half of it is missing", NOW, "ann",
    )  # fmt: skip
    assert known.is_readable
    assert catalog.newest() == "1.0.0"
    undone = set_deprecated(catalog, "2.0.0", None, NOW, "bob").get("2.0.0")
    assert (undone.state, undone.message, undone.changed_by) == ("published", "", "bob")


def test_when_the_latest_is_deleted_it_moves_to_the_largest_that_is_not_deprecated(catalog_of: Any) -> None:
    catalog = set_deprecated(catalog_of("1.0.0", "2.0.0", "3.0.0"), "2.0.0", "bad", NOW)
    catalog = set_deleted(catalog, "3.0.0", "worse", NOW)
    assert catalog.aliases == {"latest": "1.0.0"}
    catalog = set_deleted(catalog, "1.0.0", "old", NOW)
    assert catalog.aliases == {"latest": "2.0.0"}, "rather a deprecated one than none"
    assert set_deleted(catalog, "2.0.0", "all", NOW).aliases == {}


REFUSED = [
    (lambda c, p: add_version(c, p("1.0.0")), ConflictError,
     r"text@1\.0\.0 is deleted \(wrong\), and its number stays taken; set publish\.version to another number"),
    (lambda c, p: add_version(c, p("2.0.0", manifest_sha256="x")), ConflictError,
     r"text@2\.0\.0 is in the catalog with another manifest; a version never changes\. .*groupstream doctor"),
    (lambda c, p: set_alias(c, "Stable", "2.0.0", NOW), UsageError,
     r"'Stable' cannot be an alias; use a-z, 0-9, _ and -, a letter first, at most 64"),
    (lambda c, p: set_alias(c, "stable", "1.0.0", NOW), RefNotFoundError,
     r"text@1\.0\.0 is deleted \(wrong\); newest is 3\.0\.0\. List the versions with: groupstream ls text"),
    (lambda c, p: set_alias(c, "stable", "4.0.0", NOW), RefNotFoundError,
     r"text@4\.0\.0 is not in the catalog; newest is 3\.0\.0\. List the versions with: groupstream ls text"),
    (lambda c, p: set_deprecated(c, "4.0.0", "x", NOW), RefNotFoundError, r"text@4\.0\.0 is not in the catalog"),
    (lambda c, p: set_deprecated(c, "1.0.0", "x", NOW), RefNotFoundError, r"text@1\.0\.0 is deleted"),
    (lambda c, p: set_deleted(c, "4.0.0", "x", NOW), RefNotFoundError, r"text@4\.0\.0 is not in the catalog"),
    (lambda c, p: set_deleted(c, "2.0.0", "x", NOW), UsageError,
     r"text@2\.0\.0 has the alias stable; move it first with: groupstream tag REF stable, or: groupstream untag"),
    (lambda c, p: remove_alias(c, "latest", NOW), UsageError, r"there is always a latest of text; move it with: "),
]  # fmt: skip


@pytest.mark.parametrize(("change", "kind", "message"), REFUSED)
def test_what_is_refused_says_why_and_the_way_out(
    catalog_of: Any, published: Any, change: Any, kind: type[Exception], message: str
) -> None:
    catalog = set_alias(catalog_of("1.0.0", "2.0.0", "3.0.0"), "stable", "2.0.0", NOW)
    catalog = set_deleted(catalog, "1.0.0", "wrong", NOW)
    with pytest.raises(kind, match=f"^{message}") as caught:
        change(catalog, published)
    assert type(caught.value) is kind
