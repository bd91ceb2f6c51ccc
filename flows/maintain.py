"""Keeps a store in order: mends it, deletes what nothing keeps, reads some versions again."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import flow
from pydantic import BaseModel, ConfigDict

from groupstream import CorruptError
from groupstream.refs import default_root
from groupstream.stores import open_store
from groupstream.verify import SAMPLE_BYTES
from lifecycle.findings import Finding
from lifecycle.retention import RetentionPolicy
from specs.policy import refuse_forbidden_root
from tasks.catalog import update_catalog
from tasks.collect import collect
from tasks.end_runs import end_runs
from tasks.known_registry import known_registry
from tasks.maintenance_artifacts import (
    show_collection,
    show_ended_runs,
    show_findings,
    show_swept,
    show_verified,
)
from tasks.mend import mend
from tasks.run_log import run_log
from tasks.sweep import sweep
from tasks.verify import Verified, verify


class MaintenanceResult(BaseModel):
    """What a maintenance run did.

    Attributes:
        planned: what goes by the policy, by ref; it went where the run was told to delete.
        verified: the versions that were read again.
        ended_runs: runs that died without a word, and that the registry knows of now.
        swept: staging areas of dead builds that went.
    """

    model_config = ConfigDict(frozen=True)

    findings: list[Finding]
    planned: list[str]
    freed_bytes: int
    verified: list[str]
    ended_runs: list[str] = []
    swept: list[str] = []


@flow(name="maintain", persist_result=False)
def maintain(
    root: str | None = None,
    policy: RetentionPolicy | None = None,
    delete: bool = False,
    verify_versions: int = 3,
    sample_bytes: int = SAMPLE_BYTES,
    keep_staging_hours: float = 24.0,
) -> MaintenanceResult:
    """Doctor, garbage collection, verification, catalog page. Fails where something remains to be done.

    Args:
        root: where the datasets lie. Default: $GROUPSTREAM_ROOT, or ~/groupstream.
        policy: what is kept. Default: see `RetentionPolicy`.
        delete: whether what nothing keeps goes; else it is only shown.
        verify_versions: so many are read again, other ones each day.
        sample_bytes: of each version, at most so much of its shards is read.
        keep_staging_hours: for how long what a dead build finished waits for the next of the same, which goes on with
            it; 0 sweeps all that no living build holds.
    """
    refuse_forbidden_root(root)
    store = open_store(root or default_root())
    with run_log(), known_registry(store.root) as registry:
        if ended := end_runs(store.root, registry):
            show_ended_runs(ended)
        findings = mend(store, registry)
        show_findings(findings)
        collection = collect(store, registry, policy or RetentionPolicy(), delete)
        show_collection(collection)
        swept = sweep(store, keep_staging_hours)
        show_swept(swept)
        verified = verify(store, verify_versions, sample_bytes)
        show_verified(verified)
    update_catalog(store)
    _refuse_remaining(store.root, findings, [*collection.errors, *swept.errors], verified)
    return MaintenanceResult(
        findings=findings,
        planned=[item.ref for item in collection.plan.items],
        freed_bytes=sum(each.freed_bytes for each in collection.done),
        verified=[each.ref for each in verified],
        ended_runs=[each.id for each in ended],
        swept=swept.areas,
    )


def _refuse_remaining(
    root: str, findings: Sequence[Finding], errors: Sequence[str], verified: Sequence[Verified]
) -> None:
    """Raises for what people have to do."""
    remaining = [f"{each.ref} {each.wrong} ({each.way_out})" for each in findings if each.remains]
    remaining += errors
    remaining += [
        f"{each.ref} is not as it was written; see: groupstream verify" for each in verified if not each.passed
    ]
    if remaining:
        raise CorruptError(f"{len(remaining):,} things remain to be done in {root}; the first: {remaining[0]}")
