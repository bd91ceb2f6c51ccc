"""A published version, copied to another root under its own name and number: published there too.

By the protocol of a build: a claim with the digest, the files, each created only if absent, and the manifest last, byte
for byte as it was. No byte is written that differs from what the manifest says, so a damaged version stays alone. What
is there already is not copied again: a copy that was killed goes on where it was.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from groupstream import layout
from groupstream.actor import current_actor
from groupstream.cache import MANIFEST_SHA256, public_name, through_cache
from groupstream.catalog import DatasetCatalog, read_catalog
from groupstream.catalog.changes import set_alias
from groupstream.commit import checksums, claim_version, claimed_by
from groupstream.errors import ConflictError, GroupstreamError
from groupstream.manifest import Manifest, StoredFile
from groupstream.pulling.download import read_range
from groupstream.pulling.files import BLOCK_BYTES, CONNECTIONS
from groupstream.pulling.version import read_manifest
from groupstream.refs import Location
from groupstream.stores import Store
from groupstream.stores.crc32c import crc32c_of
from groupstream.stores.known_crc32c import crc32c_in
from lifecycle.bringing import Bringing
from lifecycle.changing import CatalogChange, PublishedVersion, change_version, require_writable

if TYPE_CHECKING:
    from registry import Registry


@dataclass(frozen=True)
class VersionCopy:
    """A version that lies somewhere, and the store that it is to be published in.

    Attributes:
        source: where it lies.
        manifest: of the version; `content` are the bytes of its manifest.json.
        target: the store.
    """

    source: Location
    manifest: Manifest
    content: bytes
    target: Store

    @property
    def folder(self) -> str:
        """Of the version, in the target."""
        return f"{self.manifest.name}/{self.manifest.version}"

    def is_published(self) -> bool:
        """Whether it is in the target already, with the same manifest. Three requests.

        Raises:
            ConflictError: it is there with another one, or was deleted there.
        """
        self._refuse_deleted()
        try:
            found = self.target.read(f"{self.folder}/{layout.MANIFEST}")
        except (FileNotFoundError, NotADirectoryError):
            return False
        if found != self.content:
            raise ConflictError(
                f"{self.manifest.ref} is in {self.target.root} already, and is another one, by "
                f"{claimed_by(self.target, self.folder)}; a version never changes. Build yours again with another "
                "publish.version"
            )
        return True

    def missing_files(self) -> list[StoredFile]:
        """Those that are not in the target yet. A request for each.

        Raises:
            ConflictError: one is there with other bytes.
        """
        files = self.manifest.all_files()
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            are_there = threads.map(self._has, files)
            return [file for file, is_there in zip(files, are_there, strict=True) if not is_there]

    def run(
        self,
        registry: Registry | None,
        missing: list[StoredFile],
        on_bytes: Callable[[int], None] = lambda count: None,
    ) -> None:
        """Copies the files that are missing, then the manifest. The registry has the version as pending meanwhile.

        Args:
            missing: from `missing_files`.
            on_bytes: called with the number of bytes that have just been copied, one call at a time.

        Raises:
            ConflictError: another build has the number in the target, or is at it.
            CorruptError: the source has other bytes than its manifest says. Nothing of such a file is written.
            PublishError: the target refuses a write, or this machine has no room.
            StoreError: the source cannot be read.
        """
        self._claim()
        if registry is None:
            return self._run(missing, on_bytes)
        registry.reserve_version(self.manifest, self.target.root)
        try:
            return self._run(missing, on_bytes)
        except BaseException:
            with contextlib.suppress(GroupstreamError):  # why it failed matters more
                registry.record_failed(
                    self.target.root, self.manifest.name, self.manifest.version, self.manifest.digest
                )
            raise

    def announce(
        self, registry: Registry | None, aliases: list[str], *, dry_run: bool = False, by: str = ""
    ) -> CatalogChange:
        """Makes the version known in the target, as published now, and leads aliases to it.

        Args, Raises: see `set_alias` in `lifecycle.tagging`.
        """
        now, actor = datetime.now(UTC), by or current_actor()

        def change(catalog: DatasetCatalog) -> DatasetCatalog:
            for alias in aliases:
                catalog = set_alias(catalog, alias, self.manifest.version, datetime.now(UTC), actor)
            return catalog

        published = PublishedVersion(self.target, self.manifest, self.content)
        return change_version(published, registry, change, published_at=now, dry_run=dry_run, by=actor)

    def _run(self, missing: list[StoredFile], on_bytes: Callable[[int], None]) -> None:
        with Bringing(self.source, self.manifest, self.content, self.target, on_bytes) as bringing:
            bringing.run(missing, self._has)
        path = f"{self.folder}/{layout.MANIFEST}"
        is_new = self.target.put_if_absent(path, self.content, crc32c_of(self.content))
        if not is_new and self.target.read(path) != self.content:
            raise ConflictError(
                f"{self.manifest.ref} was published in {self.target.root} meanwhile with other content, by "
                f"{claimed_by(self.target, self.folder)}; choose another root with --to"
            )

    def _claim(self) -> None:
        about = {
            MANIFEST_SHA256: hashlib.sha256(self.content).hexdigest(),
            "published_from": f"{public_name(self.source.store.root)}/{self.source.folder}",
            "by": current_actor(),
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        if not claim_version(self.target, self.folder, self.manifest.digest, about):
            raise ConflictError(
                f"{self.manifest.ref} in {self.target.root} was built, or is being built, from another spec or source, "
                f"by {claimed_by(self.target, self.folder)}. Choose another root with --to"
            )

    def _refuse_deleted(self) -> None:
        catalog = read_catalog(self.target, self.manifest.name)
        known = catalog and catalog.get(self.manifest.version)
        has_tombstone = self.target.size_bytes(f"{self.folder}/{layout.TOMBSTONE}") is not None
        if has_tombstone or (known and not known.is_readable):
            raise ConflictError(
                f"{self.manifest.ref} was deleted from {self.target.root}, and its number stays taken there. "
                "Choose another root with --to"
            )

    def _has(self, file: StoredFile) -> bool:
        """Whether the target has a file. Reads it where the store tells no CRC32C.

        Raises:
            ConflictError: it is there with other bytes.
        """
        path = f"{self.folder}/{file.path}"
        stored = self.target.stat(path)
        if stored is None:
            return False
        is_same = stored.size_bytes == file.size_bytes
        if is_same and (known := crc32c_in(self.target, path, stored)) is not None:
            is_same = known == file.crc32c
        elif is_same:
            is_same = _sha256_in(self.target, path, file) == file.sha256
        if not is_same:
            raise ConflictError(
                f"{self.target.root}/{path} exists with other bytes than those of {self.manifest.ref}; something "
                "unfinished left it. Remove its folder if it has no manifest.json, or choose another root with --to"
            )
        return True


def plan_copy(source: Location, target: Store) -> VersionCopy:
    """Reads the manifest of a version. Writes nothing.

    Raises:
        CorruptError: it is none.
        UsageError: the target is a web server.
    """
    require_writable(target)
    content, manifest = read_manifest(source)
    return VersionCopy(through_cache(source), manifest, content, target)


def _sha256_in(store: Store, path: str, file: StoredFile) -> str:
    offsets = range(0, file.size_bytes, BLOCK_BYTES)
    blocks = (read_range(store, path, start, min(BLOCK_BYTES, file.size_bytes - start)) for start in offsets)
    return str(checksums(blocks)["sha256"])
