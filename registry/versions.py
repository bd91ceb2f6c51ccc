"""The part of the registry that knows versions: from their reservation to their end."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, select

from groupstream.layout import version_key
from groupstream.manifest import Manifest
from registry.columns import storable
from registry.connection import Connected
from registry.descriptions import columns_of_manifest, describe
from registry.errors import RegistryError
from registry.models import Dataset, Version, utc_now
from registry.records import VersionRecord, version_record
from registry.retries import retried
from registry.rows import dataset_row, find_version, normal_root, version_row
from registry.states import VersionState

MISSING = "the store does not hold it"


class Versions(Connected):
    """Records what happens to versions."""

    @retried
    def reserve_version(self, manifest: Manifest, root: str, run_id: str | None = None) -> None:
        """Records that a version is being built. Takes over from an unfinished build; a published one stays as it is.

        Args:
            root: of the store that the version is to lie in.
            run_id: the run that builds it.

        Raises:
            RegistryError: another build is published as this version, or the version is deleted.
        """
        columns = columns_of_manifest(manifest, location_of(root, manifest.name, manifest.version))
        with self._writing() as session:
            row = version_row(session, dataset_row(session, root, manifest.name), manifest.version, columns)
            self._refuse_deleted(row, manifest)
            self._refuse_other_build(row, manifest.ref, columns["digest"])
            if not row.state.is_settled:
                describe(row, columns)
                row.run_id = run_id
                move_to(row, VersionState.PENDING)

    @retried
    def record_published(
        self, manifest: Manifest, root: str, published_at: datetime, run_id: str | None = None
    ) -> None:
        """Records that a version is in the store, reserved before or not. Again: it keeps its first `published_at`.

        One that is deprecated or deleted stays so: the manifest of a deleted one may still be there for a while.

        Args:
            root: of its store.
            published_at: with a time zone.
            run_id: the run that built it, if that is known.

        Raises:
            RegistryError: another build is published as this version.
        """
        columns = columns_of_manifest(manifest, location_of(root, manifest.name, manifest.version))
        with self._writing() as session:
            row = version_row(session, dataset_row(session, root, manifest.name), manifest.version, columns)
            self._refuse_other_build(row, manifest.ref, columns["digest"])
            describe(row, columns)
            row.run_id = run_id or row.run_id
            row.published_at = row.published_at or published_at
            if not row.state.is_settled:
                move_to(row, VersionState.PUBLISHED)

    @retried
    def record_failed(self, root: str, name: str, version: str, digest: str) -> None:
        """Records that a build will not finish. One that is published stays so, as does one of another build."""
        with self._writing() as session:
            row = find_version(session, root, name, version)
            if row is not None and row.state is VersionState.PENDING and row.digest == storable(digest):
                move_to(row, VersionState.FAILED)

    @retried
    def record_missing(self, root: str, name: str, version: str) -> None:
        """Records that the store does not hold a version that it should. A deleted one stays as it is."""
        with self._writing() as session:
            row = find_version(session, root, name, version)
            if row is not None and row.state is not VersionState.DELETED:
                move_to(row, VersionState.FAILED, MISSING)

    @retried
    def versions(self, name: str | None = None, root: str | None = None) -> list[VersionRecord]:
        """The versions of one dataset or of all, in whatever state: by name, root and number, newest last."""
        with self._reading() as session:
            records = [version_record(row) for row in session.scalars(_query(name, root))]
        return sorted(records, key=lambda record: (record.name, record.root, version_key(record.version)))

    def _refuse_deleted(self, row: Version, manifest: Manifest) -> None:
        if row.state is VersionState.DELETED:
            raise RegistryError(
                f"{manifest.ref} is deleted in registry {self.url} ({row.message or 'no reason given'}), and its "
                "number stays taken; set publish.version to another number"
            )

    def _refuse_other_build(self, row: Version, ref: str, digest: str) -> None:
        if row.state.is_settled and row.digest != digest:
            raise RegistryError(
                f"{ref} is {row.state.value} in registry {self.url} with digest {row.digest[:12]}, not {digest[:12]}; "
                "a version never changes. Set publish.version to another number"
            )


def location_of(root: str, name: str, version: str) -> str:
    """The folder of a version."""
    return f"{normal_root(root).rstrip('/')}/{name}/{version}"


def move_to(row: Version, state: VersionState, message: str = "", at: datetime | None = None, by: str = "") -> None:
    """Sets the state and its message. `changed_at` and `changed_by` move where they change."""
    if (row.state, row.message) != (state, storable(message)):
        row.state, row.message, row.changed_at, row.changed_by = state, message, at or utc_now(), by


def _query(name: str | None, root: str | None) -> Select[tuple[Version]]:
    query = select(Version).join(Version.dataset)
    if name is not None:
        query = query.where(Dataset.name == name)
    return query if root is None else query.where(Dataset.root == normal_root(root))
