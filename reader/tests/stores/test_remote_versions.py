"""Whole versions, read from every kind of store, and found there by name and by address."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import groupstream
from groupstream import RefNotFoundError, UsageError
from groupstream.refs import published_versions, resolve
from groupstream.verify import verify

# Google's client lets go of some failed answers unread.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

LIST = "List the versions with: groupstream ls text --root {root}"
NAMES = ["text", "tags", "digits"]
LISTED = pytest.mark.parametrize("place", ["local", "gcs", "s3"], indirect=True)
REMOTE = pytest.mark.parametrize("place", ["gcs", "s3", "http"], indirect=True)
BUCKETS = pytest.mark.parametrize("place", ["gcs", "s3"], indirect=True)
HTTP = pytest.mark.parametrize("place", ["http"], indirect=True)


def copy_version(place, folder: Path, path: str, leave_out: str = "") -> None:
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.name != leave_out:
            place.write(f"{path}/{file.relative_to(folder).as_posix()}", file.read_bytes())


@pytest.fixture
def versions(golden: Path, place):
    """The dataset text in the versions 1.9.0, 1.10.0 and, without a manifest, 2.0.0."""
    for version in ("1.9.0", "1.10.0", "2.0.0"):
        left_out = "manifest.json" if version == "2.0.0" else ""
        copy_version(place, golden / "text" / "1.0.0", f"text/{version}", left_out)
    place.write("text/notes/x", b"")
    if place.server:
        place.server.requests.clear()
    return place


@pytest.mark.parametrize("name", NAMES)
def test_a_version_is_the_same_wherever_it_lies(golden: Path, place, name: str) -> None:
    copy_version(place, golden / name / "1.0.0", f"{name}/1.0.0")
    here = groupstream.open(name, str(golden))
    there = groupstream.open(f"{place.root}/{name}/1.0.0")
    assert verify(there) == verify(here)
    assert list(there) == list(here)
    for split in here:
        expected = {group.id: group.table() for group in here[split]}
        found = {group.id: group.table() for group in there[split]}
        assert list(found) == list(expected)
        assert all(found[group_id].equals(table) for group_id, table in expected.items())
        assert there[split].group(next(iter(expected))).table().equals(next(iter(expected.values())))


@LISTED
@pytest.mark.parametrize("ref", ["text", "text@latest", "text@1.10.0"])
def test_a_ref_names_a_version_in_any_root(versions, ref: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(resolve(ref, versions.root)) == str(resolve(ref, versions.root + "/")) == f"{versions.root}/text/1.10.0"
    monkeypatch.setenv("GROUPSTREAM_ROOT", versions.root)
    assert str(resolve(ref)) == f"{versions.root}/text/1.10.0"
    assert len(groupstream.open(ref)["train"]) == 8


@REMOTE
@pytest.mark.parametrize("end", ["", "/"])
def test_an_address_names_a_version(versions, end: str) -> None:
    location = resolve(f"{versions.root}/text/1.9.0{end}", "/somewhere/else")
    assert str(location) == f"{versions.root}/text/1.9.0"
    assert len(versions.server.requests) == 2  # there is no catalog: one for it, one for the manifest
    assert len(groupstream.open(f"{versions.root}/text/1.9.0{end}")["train"]) == 8


@LISTED
def test_versions_are_those_with_a_manifest_in_the_order_of_their_numbers(versions) -> None:
    assert published_versions(versions.store(), "text") == ["1.9.0", "1.10.0"]
    assert published_versions(versions.store(), "nothing") == []


@BUCKETS
def test_a_version_is_found_with_few_requests(versions) -> None:
    def num_requests(ref: str) -> int:
        versions.server.requests.clear()
        resolve(ref, versions.root)
        return len([r for r in versions.server.requests if r.method != "POST"])

    pages = 2 if versions.kind == "gcs" else 1  # 4 folders, 3 a page
    assert num_requests("text@1.9.0") == 2  # for the catalog, which there is not, and for the manifest
    assert num_requests("text") == 1 + pages + 2  # 2.0.0 has no manifest, 1.10.0 has


@BUCKETS
@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("nothing", "no dataset 'nothing' in {root}. List what is there with: groupstream ls --root {root}"),
        (
            "text@9.0.0",
            "text@9.0.0 not found; newest is 1.10.0. " + LIST,
        ),
        (
            "text@2.0.0",
            "text@2.0.0 not found; newest is 1.10.0. " + LIST,
        ),
        ("text@new", "text@new not found; newest is 1.10.0. " + LIST),
        (
            "{root}/text/2.0.0/",
            "{root}/text/2.0.0/: not a published version: it has no manifest.json. "
            "List what is published with: groupstream ls --root {root}",
        ),
    ],
)
def test_a_ref_to_nothing_says_what_there_is(versions, ref: str, message: str) -> None:
    with pytest.raises(RefNotFoundError) as caught:
        resolve(ref.format(root=versions.root), versions.root)
    assert str(caught.value) == message.format(root=versions.root)


@HTTP
def test_on_a_web_server_a_version_is_found_by_its_number(versions) -> None:
    assert str(resolve("text@1.9.0", versions.root)) == f"{versions.root}/text/1.9.0"
    with pytest.raises(UsageError, match=rf"^{versions.root} cannot list its datasets, .* full address, such as"):
        resolve("text", versions.root)
    with pytest.raises(RefNotFoundError, match=rf"^text@7\.0\.0 not found\. {versions.root} cannot list"):
        resolve("text@7.0.0", versions.root)


@HTTP
def test_a_web_server_without_ranges_is_refused(golden: Path, place) -> None:
    copy_version(place, golden / "text" / "1.0.0", "text/1.0.0")
    place.server.ranges = False
    dataset = groupstream.open(f"{place.root}/text/1.0.0")
    with pytest.raises(groupstream.StoreError, match=r"does not answer range requests\. Serve it with one"):
        list(dataset["train"].group(next(iter(dataset["train"])).id).examples())


@HTTP
def test_a_file_that_is_gone_is_corrupt(golden: Path, place) -> None:
    copy_version(place, golden / "text" / "1.0.0", "text/1.0.0")
    dataset = groupstream.open(f"{place.root}/text/1.0.0")
    shutil.rmtree(place.folder)
    with pytest.raises(groupstream.CorruptError, match=rf"{place.root}/text/1\.0\.0/.* is missing"):
        [group.table() for group in dataset["train"]]


@pytest.mark.parametrize("ref", ["gs://bucket", "gs://bucket/", "https://host"])
def test_a_bucket_alone_is_no_version(ref: str) -> None:
    with pytest.raises(
        RefNotFoundError, match=rf"^{ref}: not the folder of a version; give all of it, such as .*/text/1"
    ):
        resolve(ref)


@pytest.mark.parametrize("ref", ["gs://", "gs:///a/b", "ftp://host/text/1.0.0", "https://host/text?token=1"])
def test_what_is_no_address_is_refused(ref: str) -> None:
    with pytest.raises(UsageError, match=r"gs://|is not the address of a store"):
        resolve(ref)
