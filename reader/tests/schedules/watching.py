"""Who looks on while versions are published: what a reader may see, and what there must be in the end."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Collection, Sequence
from typing import Any

import google_crc32c
import pytest

from groupstream import layout
from groupstream.catalog import dataset_names, read_catalog
from groupstream.commands.ls import list_versions
from groupstream.dataset import open_dataset
from groupstream.errors import RefNotFoundError, StoreError
from groupstream.layout import version_key
from groupstream.manifest import Manifest
from groupstream.refs import published_versions, resolve
from groupstream.verify import verify

# A dead network is no lie. What is wrong is a CorruptError.
UNREACHABLE = (StoreError, RefNotFoundError)
PAUSE_SECONDS = 0.01  # between two polls
PAUSE_SECONDS_OF_S3 = 0.2  # moto takes 20 ms of this machine for a request


class Reader(threading.Thread):
    """Polls a dataset until it is told to stop. `wrong` holds what it should not have seen.

    Args:
        contents: the bytes of all manifests that any build may write, by version.
        may_vanish: whether versions are deleted meanwhile.
    """

    def __init__(self, store: Any, name: str, contents: dict[str, set[bytes]], may_vanish: bool) -> None:
        super().__init__(daemon=True)
        self.wrong: list[str] = []
        self.num_read = 0
        self._store, self._name, self._contents, self._may_vanish = store, name, contents, may_vanish
        self._stopped = threading.Event()
        self._manifests: dict[str, bytes] = {}
        self._whole: set[str] = set()
        self._revision = 0
        self._listed: set[str] = set()
        self._published: set[str] = set()

    def stop(self) -> list[str]:
        """What was wrong."""
        self._stopped.set()
        self.join()
        return self.wrong

    def run(self) -> None:
        looks = (self._by_alias, self._by_folder, self._by_number, self._by_listing)
        while not self._stopped.is_set():
            for look in looks:
                try:
                    look()
                except StoreError:
                    pass
                except Exception as error:
                    self.wrong.append(f"{look.__name__}: {type(error).__name__}: {error}")
                    return
            self._stopped.wait(PAUSE_SECONDS_OF_S3 if self._store.root.startswith("s3:") else PAUSE_SECONDS)

    def _by_alias(self) -> None:
        catalog = read_catalog(self._store, self._name)
        if catalog is None:
            self._expect(not self._listed, "the catalog is gone")
            return
        listed = {each.version for each in catalog.versions}
        self._expect(len(listed) == len(catalog.versions), f"a version is there twice: {catalog.versions}")
        self._expect(catalog.revision >= self._revision, f"revision {catalog.revision} after {self._revision}")
        self._expect(listed >= self._listed, f"{self._listed - listed} is gone from the catalog")
        self._revision, self._listed = catalog.revision, listed
        for alias, version in catalog.aliases.items():
            self._expect(version in catalog.readable(), f"{alias} leads to {version}, which is not to be read")
            self._read(version)

    def _by_folder(self) -> None:
        published = set(published_versions(self._store, self._name))
        gone = self._published - published
        self._expect(self._may_vanish or not gone, f"{gone} has no manifest any more")
        self._published = published
        if published:
            self._read(max(published, key=version_key))

    def _by_number(self) -> None:
        for ref in (self._name, *(f"{self._name}@{version}" for version in self._contents)):
            try:
                location = resolve(ref, self._store.root)
            except RefNotFoundError:
                gone = self._may_vanish or (ref.partition("@")[2] or ref) not in self._manifests
                self._expect(gone, f"{ref} cannot be found any more")
            else:
                self._read(location.folder.rpartition("/")[2])

    def _by_listing(self) -> None:
        try:
            rows, errors = list_versions(self._store.root, self._name)
        except RefNotFoundError:
            self._expect(not self._published or self._may_vanish, "ls lists nothing any more")
            return
        for error in errors:
            self._expect(isinstance(error, UNREACHABLE), f"ls: {error}")
        for row in rows:
            version = str(row["ref"]).partition("@")[2]
            self._expect(version in self._contents, f"ls lists {version}")

    def _read(self, version: str) -> None:
        """All of a version, every byte, the first time; afterwards whether its manifest is the same."""
        content = self._store.read(f"{self._name}/{version}/{layout.MANIFEST}")
        self._expect(content in self._contents[version], f"{version} has a manifest that no build wrote")
        self._expect(self._manifests.setdefault(version, content) == content, f"{version} has another manifest")
        if version not in self._whole:
            manifest = Manifest.from_json(content, version)
            for file in manifest.all_files():
                data = self._store.read(f"{self._name}/{version}/{file.path}")
                found = (len(data), google_crc32c.Checksum(data).digest().hex(), hashlib.sha256(data).hexdigest())
                wanted = (file.size_bytes, file.crc32c, file.sha256)
                self._expect(found == wanted, f"{version}/{file.path} has {found}, not {wanted}")
            self._whole.add(version)
            self.num_read += 1

    def _expect(self, is_so: bool, otherwise: str) -> None:
        if not is_so:
            raise AssertionError(otherwise)


def assert_settled(store: Any, name: str, builds: Sequence[Any], deleted: Collection[str] = ()) -> dict[str, Any]:
    """What there must be once everybody is done. Gives the build that won each version.

    Args:
        builds: all that somebody tried to publish; each version has one, if not more.
        deleted: versions that were deleted.
    """
    catalog = read_catalog(store, name)
    versions = {build.manifest.version for build in builds}
    assert dataset_names(store) == [name]
    assert catalog is not None
    assert [each.version for each in catalog.versions] == sorted(versions, key=version_key)
    assert set(published_versions(store, name)) == versions - set(deleted)
    assert {each.version for each in catalog.versions if not each.is_readable} == set(deleted)
    for version in deleted:
        with pytest.raises(RefNotFoundError, match="deleted"):
            resolve(f"{name}@{version}", store.root)
    _assert_history(catalog)
    return {version: _winner(store, name, version, catalog, builds) for version in versions}


def _winner(store: Any, name: str, version: str, catalog: Any, builds: Sequence[Any]) -> Any:
    """The one build whose manifest is there: its files are there and right, and no others."""
    folder = f"{name}/{version}"
    content = store.read(f"{folder}/{layout.MANIFEST}")
    [winner] = {build for build in builds if build.content == content}
    known = catalog.get(version)
    assert (known.digest, known.manifest_sha256) == (winner.manifest.digest, hashlib.sha256(content).hexdigest())
    there = {found.path.removeprefix(f"{folder}/") for found in store.objects(folder)}
    assert there == {layout.CLAIM, layout.MANIFEST, *winner.files}
    for path, data in winner.files.items():
        assert store.read(f"{folder}/{path}") == data, path
    assert not known.is_readable or verify(open_dataset(f"{name}@{version}", store.root)) > 0
    return winner


def _assert_history(catalog: Any) -> None:
    """Who follows the moves arrives at the aliases, and no move is there twice."""
    aliases: dict[str, str] = {}
    for move in catalog.history:
        assert aliases.get(move.alias) != move.version, f"{move} changes nothing"
        aliases = {**aliases, move.alias: move.version}
    assert {alias: version for alias, version in aliases.items() if version} == catalog.aliases
    assert all(catalog.get(version).is_readable for version in catalog.aliases.values())
