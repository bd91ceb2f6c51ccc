"""Versions that are looked up in the catalog, in every kind of store, and on a web server too."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import groupstream
from groupstream import CorruptError, DeprecatedVersionWarning, Manifest, RefNotFoundError, StoreError
from groupstream.catalog import DatasetCatalog, describe_published
from groupstream.catalog.changes import add_version, set_alias, set_deleted, set_deprecated
from groupstream.commands.ls import list_versions
from groupstream.layout import CATALOG
from groupstream.refs import published_versions, resolve, resolve_alias

# Google's client lets go of some failed answers unread.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

NOW = datetime(2026, 11, 28, 20, tzinfo=UTC)
LISTED = pytest.mark.parametrize("place", ["local", "gcs", "s3"], indirect=True)
REMOTE = pytest.mark.parametrize("place", ["gcs", "s3", "http"], indirect=True)
LIST = "List the versions with: groupstream ls text --root"


@pytest.fixture
def versions(golden: Path, place: Any) -> Any:
    """1.0.0 deprecated, 1.9.0 stable, 1.10.0 latest, 2.0.0 deleted; 3.0.0 has a manifest, and no catalog has it."""
    numbers = ("1.0.0", "1.9.0", "1.10.0", "2.0.0", "3.0.0")
    files = {
        file.relative_to(golden / "text" / "1.0.0").as_posix(): file.read_bytes()
        for file in (golden / "text" / "1.0.0").rglob("*")
        if file.is_file()
    }
    for number in numbers:
        for path, content in files.items():
            place.write(f"text/{number}/{path}", content)
    catalog = DatasetCatalog(name="text")
    manifest = Manifest.from_json(files["manifest.json"], "")
    for number in numbers[:-1]:
        described = describe_published(manifest, files["manifest.json"], NOW, None)
        catalog = add_version(catalog, described.model_copy(update={"version": number}))
    catalog = set_deprecated(set_alias(catalog, "stable", "1.9.0", NOW), "1.0.0", "half of it is missing\x1b[2J", NOW)
    place.write(f"text/{CATALOG}", set_deleted(catalog, "2.0.0", "a licence", NOW).to_json())
    place.write(CATALOG, json.dumps({"format_version": 1, "datasets": ["text"]}).encode())
    if place.server:
        place.server.requests.clear()
    return place


@pytest.mark.parametrize(
    ("ref", "number"),
    [
        ("text", "1.10.0"),
        ("text@latest", "1.10.0"),
        ("text@stable", "1.9.0"),
        ("text@1.9.0", "1.9.0"),
    ],
)
def test_names_and_aliases_are_found_everywhere_in_one_request(versions: Any, ref: str, number: str) -> None:
    assert str(resolve(ref, versions.root)) == f"{versions.root}/text/{number}"
    if versions.server:
        assert [r.method for r in versions.server.requests if "oauth" not in r.path] == ["GET"]
    assert len(groupstream.open(ref, versions.root)["train"]) == 8


@REMOTE
def test_an_address_is_found_in_one_request(versions: Any) -> None:
    resolve(f"{versions.root}/text/1.9.0")
    assert [r.method for r in versions.server.requests] == ["GET"]


def test_a_version_that_the_catalog_lacks_is_opened_by_its_number(versions: Any) -> None:
    assert len(groupstream.open("text@3.0.0", versions.root)["train"]) == 8
    assert str(resolve("text", versions.root)).endswith("1.10.0")


@pytest.mark.parametrize("ref", ["text@2.0.0", "{root}/text/2.0.0"])
def test_a_deleted_version_says_since_when_and_why(versions: Any, ref: str) -> None:
    message = r"text@2\.0\.0 is deleted since 2026-11-28 \(a licence\); newest is 1\.10\.0\. List .* groupstream ls "
    with pytest.raises(RefNotFoundError, match=f"^{message}"):
        groupstream.open(ref.format(root=versions.root), versions.root)


def test_an_unknown_alias_says_which_there_are(versions: Any) -> None:
    with pytest.raises(RefNotFoundError) as caught:
        resolve("text@new", versions.root)
    there = "newest is 1.10.0, and the aliases are latest, stable"
    assert str(caught.value) == f"text@new not found; {there}. {LIST} {versions.root}"
    with pytest.raises(RefNotFoundError, match=r"^text@7\.0\.0 not found; newest is 1\.10\.0\. List"):
        resolve("text@7.0.0", versions.root)


WARNED = r"^text@1\.0\.0 is deprecated: half of it is missing\\x1b\[2J; newest is 1\.10\.0$"


@pytest.mark.parametrize("ref", ["text@1.0.0", "{root}/text/1.0.0"])
def test_who_opens_or_pulls_a_deprecated_version_is_told(versions: Any, ref: str, tmp_path: Path, cache: Path) -> None:
    text = ref.format(root=versions.root)
    with pytest.warns(DeprecatedVersionWarning, match=WARNED) as told:
        assert len(groupstream.open(text, versions.root)["train"]) == 8
    assert [each.filename for each in told] == [__file__], "it names the line that opened it"
    with pytest.warns(DeprecatedVersionWarning, match=WARNED):
        pulled = groupstream.pull(text, versions.root, to=tmp_path / "to")
    assert len(groupstream.open(pulled.location)["train"]) == 8, "a copy is opened in silence"


@REMOTE
def test_who_opens_the_copy_in_the_cache_is_told_while_the_store_is_there(versions: Any, cache: Path) -> None:
    with pytest.warns(DeprecatedVersionWarning, match=WARNED):
        groupstream.pull("text@1.0.0", versions.root)
    with pytest.warns(DeprecatedVersionWarning, match=WARNED):
        dataset = groupstream.open("text@1.0.0", versions.root)
    assert dataset["train"].is_local


def test_a_version_whose_manifest_is_gone_is_a_clear_error(versions: Any) -> None:
    _remove(versions, "text/1.9.0/manifest.json")
    for act in (groupstream.open, groupstream.pull):
        with pytest.raises(CorruptError, match=r"text/1\.9\.0/manifest\.json is missing, though the catalog has the"):
            act("text@stable", versions.root)


def _remove(place: Any, path: str) -> None:
    if place.folder is None:
        place.store().delete(path)
    else:
        (place.folder / path).unlink()


@LISTED
def test_for_builds_the_manifests_are_the_truth_but_for_what_is_deleted(versions: Any) -> None:
    store = versions.store()
    assert published_versions(store, "text") == ["1.0.0", "1.9.0", "1.10.0", "3.0.0"]
    versions.write("text/3.0.0/tombstone.json", b'{"at": "2026-11-27T00:00:00Z", "reason": "a\\nlicence"}')
    store.delete("text/1.9.0/manifest.json")
    assert published_versions(store, "text") == ["1.0.0", "1.10.0"]
    store.delete("text/3.0.0/manifest.json")
    with pytest.raises(RefNotFoundError, match=r"^text@3\.0\.0 is deleted since 2026-11-27 \(a\\nlicence\); newest is"):
        resolve("text@3.0.0", versions.root)


@LISTED
def test_a_catalog_that_is_none_stops_no_number(versions: Any) -> None:
    versions.store().replace(f"text/{CATALOG}", b'{"format_version": 7}')
    assert str(resolve("text@1.9.0", versions.root)).endswith("text/1.9.0")
    assert resolve(f"{versions.root}/text/1.9.0").folder.endswith("1.9.0")
    assert published_versions(versions.store(), "text") == ["1.0.0", "1.9.0", "1.10.0", "2.0.0", "3.0.0"]
    for ref in ("text", "text@stable"):
        with pytest.raises(CorruptError, match=r"catalog\.json has format 7, this library reads up to 1; upgrade with"):
            resolve(ref, versions.root)


@pytest.mark.parametrize("place", ["http"], indirect=True)
def test_who_may_not_see_the_catalog_opens_by_number(versions: Any) -> None:
    versions.server.denied.add("some/prefix/text/catalog.json")
    assert str(resolve("text@1.9.0", versions.root)).endswith("text/1.9.0")
    with pytest.raises(StoreError, match="permission denied"):
        resolve("text@stable", versions.root)


def test_an_alias_alone(versions: Any) -> None:
    found = [resolve_alias(versions.store(), "text", alias) for alias in ("latest", "stable", "new")]
    assert found == ["1.10.0", "1.9.0", None]


def test_all_of_a_root_is_listed_with_aliases_and_states(versions: Any) -> None:
    rows, errors = list_versions(versions.root, None)
    found = {row["ref"]: (row["aliases"], row["state"], row["published_at"]) for row in rows}
    at = "2026-11-28T20:00:00+00:00"
    expected: dict[str, Any] = {
        "text@1.0.0": ([], "deprecated", at),
        "text@1.9.0": (["stable"], "published", at),
        "text@1.10.0": (["latest"], "published", at),
        "text@2.0.0": ([], "deleted", at),
    }
    if versions.kind != "http":  # which lists no folders
        expected["text@3.0.0"] = (
            [],
            "published",
            json.loads(versions.store().read("text/3.0.0/claim.json"))["created_at"],
        )
    assert (found, errors) == (expected, [])
    assert list(found) == list(expected)
    assert {(row["groups"], row["examples"], row["bytes"], row["words"]) for row in rows} == {(8, 40, 6519, 186)}
    assert list_versions(versions.root, "text") == (rows, [])
    with pytest.raises(RefNotFoundError, match=r"^no dataset 'other' in .*; there are: text$"):
        list_versions(versions.root, "other")
