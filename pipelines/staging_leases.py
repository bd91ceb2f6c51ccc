"""Folders of builds in a bucket. A lease in the folder says whose it is; the owner renews it for as long as it lives.

Compare and swap decides between builds that want the same folder. How old a lease is, the clock of the bucket says. An
owner that slept for longer than its lease looks at it before it removes anything: the folder may be another's by then.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from groupstream import GroupstreamError
from groupstream.layout import STAGING
from groupstream.stores import Store, open_store
from pipelines.resuming import RECORDS
from pipelines.staging_area import LEASE, StagingArea, owner_of, remove_objects, remove_owned
from pipelines.staging_folders import (
    KEPT_SECONDS,
    HeldFolder,
    folder_name,
    folder_prefix,
    hold_folder,
    is_resumable,
    temporary_root,
)

_UNOWNED_SECONDS = 24 * 3600.0  # after which a folder without a lease has no build any more
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

_log = logging.getLogger("groupstream")


class Patience(NamedTuple):
    """How often a lease is renewed, and for how long it counts without that.

    Attributes:
        stale_seconds: several renewals long: one may fail, and the clock of a bucket tells whole seconds only.
    """

    renewal_seconds: float = 20.0
    stale_seconds: float = 90.0


_PATIENCE = Patience()


class Lease:
    """The lease of one folder.

    Args:
        store: of the datasets.
        name: of the folder.
    """

    def __init__(self, store: Store, name: str, patience: Patience = _PATIENCE) -> None:
        self.store = open_store(f"{store.root}/{STAGING}/{name}")
        self.name = name
        self.owner = uuid.uuid4().hex
        self._patience = patience
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_renewing, name="groupstream-lease", daemon=True)

    def take_new(self) -> None:
        """Becomes the owner of a new folder.

        Raises:
            PublishError: the bucket refuses.
        """
        self._swap(None, self.owner)
        self._thread.start()

    def take_from_the_dead(self, clock: Lease, *, waits: bool) -> bool:
        """Becomes the owner, if the one who was it has left the folder, or is dead.

        Args:
            clock: a lease of this process, by which it tells the time of the bucket.
            waits: whether to wait until it is plain that the owner lives, or is dead.
        """
        first = found = self.store.read_tagged(LEASE)
        while found is not None and first is not None and found.tag == first.tag:
            if not owner_of(found) or self._age_seconds(clock.now()) >= self._patience.stale_seconds:
                taken = self._swap(found.tag, self.owner) or self.is_mine()
                if taken:
                    self._thread.start()
                return taken
            if not waits:
                return False
            time.sleep(self._patience.renewal_seconds / 4)
            found = self.store.read_tagged(LEASE)
        return False

    def is_mine(self) -> bool:
        """Whether this process owns the folder: it does not any more, where it slept for too long."""
        return owner_of(self.store.read_tagged(LEASE)) == self.owner

    def now(self) -> datetime:
        """The time by the clock of the bucket."""
        self._renew()
        return self.renewed_at()

    def renewed_at(self) -> datetime:
        """When it was renewed, by the clock of the bucket."""
        found = self.store.stat(LEASE)
        return (found and found.modified_at) or _LONG_AGO

    def let_go(self) -> None:
        """Leaves the folder to whoever comes."""
        self._end()
        found = self.store.read_tagged(LEASE)
        if found is not None and owner_of(found) == self.owner:
            self._swap(found.tag, "")

    def remove_folder(self) -> None:
        """Removes all objects, the lease last; stops where the folder is another's."""
        try:
            paths = sorted(found.path for found in self.store.objects("") if found.path != LEASE)
            remove_owned(self.store, paths, self.is_mine)
        finally:
            self._end()
        if self.is_mine():
            self.store.delete(LEASE)

    def _end(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _age_seconds(self, now: datetime) -> float:
        return (now - self.renewed_at()).total_seconds()

    def _keep_renewing(self) -> None:
        while not self._ended.wait(self._patience.renewal_seconds):
            try:
                if not self._renew():
                    _log.warning("%s has another owner by now: this build did not say that it lives", self.store.root)
                    return
            except GroupstreamError as error:  # the next one may succeed
                _log.warning("cannot say in %s that this build lives: %s", self.store.root, error)

    def _renew(self) -> bool:
        """Whether the folder was this process's."""
        found = self.store.read_tagged(LEASE)
        if found is None or owner_of(found) != self.owner:
            return False
        return self._swap(found.tag, self.owner) or self.is_mine()

    def _swap(self, tag: str | None, owner: str) -> bool:
        content = json.dumps({"owner": owner, "renewal": uuid.uuid4().hex}).encode()  # no two are alike, nor their tags
        return self.store.swap(LEASE, content, tag)


class LeasedFolder(NamedTuple):
    """A folder in a bucket that this process owns, and one of this machine for what is no object of it."""

    lease: Lease
    scratch: HeldFolder

    @property
    def staging(self) -> StagingArea:
        """The staging area in it."""
        return StagingArea(self.lease.store, self.scratch.folder, owner=self.lease.owner)

    def let_go(self) -> None:
        """Leaves it to whoever comes."""
        self._end(self.lease.let_go)

    def remove(self) -> None:
        """Removes it, as far as it can."""
        self._end(self.lease.remove_folder)

    def _end(self, leave: Callable[[], None]) -> None:
        try:
            _warn_of_failure(self.lease, leave)
        finally:
            self.scratch.remove()


def _warn_of_failure(lease: Lease, leave: Callable[[], None]) -> None:
    try:
        leave()
    except GroupstreamError as error:
        _log.warning("the staging area %s is not empty, remove it later: %s", lease.store.root, error)


def lease_folder(store: Store, digest: str, patience: Patience = _PATIENCE) -> LeasedFolder:
    """The folder of a dead build of the same that finished the most, or else a new one. Sweeps others.

    Raises:
        PublishError: the bucket cannot be written.
        StoreError: it cannot be read.
    """
    own = Lease(store, folder_name(digest), patience)
    own.take_new()
    found = None
    try:
        found = _take_over(store, digest, own, patience) if digest else None
        try:
            sweep_leases(store, clock=found or own, patience=patience)
        except GroupstreamError as error:
            _log.warning("what dead builds left in %s/%s is not swept: %s", store.root, STAGING, error)
        if found is not None:
            own.remove_folder()
        return LeasedFolder(found or own, hold_folder(temporary_root(), ""))
    except BaseException:
        if found is not None:
            _warn_of_failure(found, found.let_go)
        _warn_of_failure(own, own.remove_folder)
        raise


def _take_over(store: Store, digest: str, clock: Lease, patience: Patience) -> Lease | None:
    leases = [Lease(store, name, patience) for name in store.folders(STAGING) if name.startswith(folder_prefix(digest))]
    finished = [(_num_finished(lease), lease.name, lease) for lease in leases if lease.name != clock.name]
    for number, _, lease in sorted(finished, reverse=True):
        if number and lease.take_from_the_dead(clock, waits=True):
            return lease
    return None


def sweep_leases(
    store: Store,
    kept_seconds: float = KEPT_SECONDS,
    *,
    digest: str = "",
    clock: Lease | None = None,
    patience: Patience = _PATIENCE,
) -> list[str]:
    """Removes what builds that are dead left in a bucket; the paths of the folders that went.

    Args:
        kept_seconds: see `sweep_folders`, as for `digest`.
        clock: a lease of this process. Default: makes one, and removes it.

    Raises:
        PublishError: the bucket cannot be written.
        StoreError: it cannot be read.
    """
    prefix = folder_prefix(digest)
    leases = [Lease(store, name, patience) for name in store.folders(STAGING) if name.startswith(prefix)]
    others = [lease for lease in leases if clock is None or lease.name != clock.name]
    if not others:
        return []
    own = clock or Lease(store, folder_name(""), patience)
    if clock is None:
        own.take_new()
    try:
        return [f"{STAGING}/{lease.name}" for lease in others if _sweep(lease, own, kept_seconds)]
    finally:
        if clock is None:
            own.remove_folder()


def _sweep(lease: Lease, clock: Lease, kept_seconds: float) -> bool:
    """Whether the folder went."""
    now = clock.now()
    if lease.store.stat(LEASE) is None:
        objects = list(lease.store.objects(""))
        written = max((found.modified_at or now for found in objects), default=now)
        if (now - written).total_seconds() < _UNOWNED_SECONDS:
            return False
        remove_objects(lease.store, [found.path for found in objects])
        return True
    is_kept = is_resumable(lease.name) and (now - lease.renewed_at()).total_seconds() < kept_seconds
    if (is_kept and _num_finished(lease)) or not lease.take_from_the_dead(clock, waits=False):
        return False
    lease.remove_folder()
    return True


def _num_finished(lease: Lease) -> int:
    return sum(1 for _ in lease.store.objects(RECORDS))
