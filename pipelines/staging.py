"""The staging area of a build: everything it writes before the version is published.

Each build has a folder, by default under `<root>/.staging`: on a disk of this machine, or in a bucket that all its
workers reach. It goes when the build ends. Where trying again makes sense what is finished stays, and the next build of
the same takes it up: see `resuming`. What a build that was killed left is taken up too, or swept away.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from groupstream import CheckError, CorruptError, ExampleError, GroupstreamError, UsageError
from groupstream.stores import HttpStore, LocalStore, Store, is_url, open_store
from pipelines.resuming import num_finished, remove_unfinished
from pipelines.staging_area import StagingArea, refuse_full_disk
from pipelines.staging_folders import (
    KEPT_SECONDS,
    HeldFolder,
    hold_folder,
    refuse_unwritable_folder,
    sweep_folders,
    sweep_temporary,
    temporary_root,
)
from pipelines.staging_leases import LeasedFolder, lease_folder, sweep_leases

__all__ = ["StagingArea", "refuse_full_disk", "refuse_unwritable", "staging_area", "staging_for", "sweep"]

# After these the same would only happen again; after Ctrl-C nobody wants to go on.
_FINAL = (UsageError, CheckError, ExampleError, CorruptError, KeyboardInterrupt)

_log = logging.getLogger("groupstream")


def never() -> bool:
    """That a build is not cancelled."""
    return False


@contextmanager
def staging_area(root: str | Path, digest: str = "", is_cancelled: Callable[[], bool] = never) -> Iterator[StagingArea]:
    """A folder for one build: that of an earlier build of the same, or a new one.

    At the end it is removed. What is finished stays, if the build ends with an error after which trying again may help,
    and nobody has cancelled it.

    Args:
        root: a folder, or a bucket as `gs://bucket/prefix`; the build's folder lies in its `.staging`.
        digest: of what is built; "" where nobody could take it up.
        is_cancelled: says, where there is an error, whether it came of somebody cancelling the build.

    Raises:
        PublishError: the root cannot be written.
        UsageError: it is a web server, where nothing can be written.
    """
    store = open_store(str(root))
    held = _hold(store, digest)
    try:
        if isinstance(store, LocalStore):
            sweep_folders(Path(store.root))
        yield held.staging
    except BaseException as error:
        _leave(held, is_final=not digest or isinstance(error, _FINAL), is_cancelled=is_cancelled)
        raise
    held.remove()


def _leave(held: HeldFolder | LeasedFolder, *, is_final: bool, is_cancelled: Callable[[], bool]) -> None:
    """Leaves what is finished, or nothing. A bucket that is away meanwhile does not hide why the build ended."""
    leave = held.let_go
    try:
        if is_final or not num_finished(held.staging) or is_cancelled():
            leave = held.remove
        else:
            remove_unfinished(held.staging)
    except (GroupstreamError, OSError) as error:
        _log.warning("the staging area %s is left as it is: %s", held.staging.store.root, error)
    finally:
        leave()


@contextmanager
def staging_for(
    store: Store,
    wanted: str | None,
    *,
    is_distributed: bool = False,
    digest: str = "",
    is_cancelled: Callable[[], bool] = never,
) -> Iterator[StagingArea]:
    """The staging area of a build that publishes to `store`: see `runner.staging` of the spec, and `staging_area`.

    Args:
        is_distributed: whether the workers are other machines, which share nothing but the bucket.

    Raises:
        PublishError: it cannot be written.
        UsageError: it is no place that all workers reach, or from which the version can be published.
    """
    root = _root_for(store, wanted, is_distributed)
    if root is None or is_distributed:
        sweep_temporary()
    with staging_area(root or temporary_root(), digest, is_cancelled) as staging:
        yield staging


def sweep(
    store: Store, kept_seconds: float = KEPT_SECONDS, *, wanted: str | None = None, digest: str = ""
) -> list[str]:
    """Removes what dead builds left that published to `store`; where it was.

    Looks beside the datasets, in the temporary folders of this machine, and in the folder that `wanted` names.

    Args:
        kept_seconds: for how long a folder stays in which a stage is finished, for who builds the same again.
        wanted: `runner.staging` of the spec.
        digest: of what was built; default: anything.

    Raises:
        PublishError: a bucket cannot be written.
        StoreError: it cannot be read.
    """
    roots = [Path(wanted)] if wanted else []
    roots += [Path(store.root)] if isinstance(store, LocalStore) else []
    found = sweep_temporary(kept_seconds, digest=digest)
    found += [folder for root in roots for folder in sweep_folders(root, kept_seconds, digest=digest)]
    swept = [str(folder) for folder in found]
    if not isinstance(store, LocalStore):
        swept += [f"{store.root}/{path}" for path in sweep_leases(store, kept_seconds, digest=digest)]
    return swept


def refuse_unwritable(store: Store, wanted: str | None, *, is_distributed: bool = False) -> None:
    """Refuses what `staging_for` would refuse, before anything is read. In a bucket it writes nothing.

    Raises:
        PublishError: it cannot be written.
        UsageError: it is no place that all workers reach, or from which the version can be published.
    """
    root = _root_for(store, wanted, is_distributed) or str(temporary_root())
    _refuse_web_server(open_store(root))
    if not is_url(root):
        refuse_unwritable_folder(Path(root))


def _root_for(store: Store, wanted: str | None, is_distributed: bool) -> str | None:
    """Where the staging area lies; None for a temporary folder of this machine.

    Raises:
        UsageError: it is no place that all workers reach, or from which the version can be published.
    """
    if is_distributed and isinstance(store, LocalStore):
        raise UsageError(
            f"publish.root {store.root} is a folder of this machine, which the workers of a cluster do not reach; "
            "give a bucket, such as gs://bucket/datasets"
        )
    if wanted is not None and (is_url(wanted) or is_distributed):
        raise UsageError(
            f"runner.staging {wanted!r}: the staging area is a folder of this machine, or lies in the bucket that "
            "publish.root names, which is where workers on other machines write. Leave it out"
        )
    in_store = isinstance(store, LocalStore) or is_distributed
    return wanted or (store.root if in_store else None)


def _refuse_web_server(store: Store) -> None:
    if isinstance(store, HttpStore):
        raise UsageError(f"cannot build in {store.root}: a web server cannot be written to; give a folder or a bucket")


def _hold(store: Store, digest: str) -> HeldFolder | LeasedFolder:
    _refuse_web_server(store)
    return hold_folder(Path(store.root), digest) if isinstance(store, LocalStore) else lease_folder(store, digest)
