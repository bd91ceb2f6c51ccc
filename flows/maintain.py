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
from tasks.catalog import update_catalog
from tasks.collect import Collection, collect
from tasks.known_registry import known_registry
from tasks.maintenance_artifacts import show_collection, show_findings, show_verified
from tasks.mend import mend
from tasks.verify import Verified, verify


class MaintenanceResult(BaseModel):
    """What a maintenance run did.

    Attributes:
        planned: what goes by the policy, by ref; it went where the run was told to delete.
        verified: the versions that were read again.
    """

    model_config = ConfigDict(frozen=True)

    findings: list[Finding]
    planned: list[str]
    freed_bytes: int
    verified: list[str]


@flow(name="maintain", persist_result=False)
def maintain(
    root: str | None = None,
    policy: RetentionPolicy | None = None,
    delete: bool = False,
    verify_versions: int = 3,
    sample_bytes: int = SAMPLE_BYTES,
) -> MaintenanceResult:
    """Doctor, garbage collection, verification, catalog page. Fails where something remains to be done.

    Args:
        root: where the datasets lie. Default: $GROUPSTREAM_ROOT, or ~/groupstream.
        policy: what is kept. Default: see `RetentionPolicy`.
        delete: whether what nothing keeps goes; else it is only shown.
        verify_versions: so many are read again, other ones each day.
        sample_bytes: of each version, at most so much of its shards is read.
    """
    store = open_store(root or default_root())
    with known_registry(store.root) as registry:
        findings = mend(store, registry)
        show_findings(findings)
        collection = collect(store, registry, policy or RetentionPolicy(), delete)
        show_collection(collection)
        verified = verify(store, verify_versions, sample_bytes)
        show_verified(verified)
    update_catalog(store)
    _refuse_remaining(store.root, findings, collection, verified)
    return MaintenanceResult(
        findings=findings,
        planned=[item.ref for item in collection.plan.items],
        freed_bytes=sum(each.freed_bytes for each in collection.done),
        verified=[each.ref for each in verified],
    )


def _refuse_remaining(
    root: str, findings: Sequence[Finding], collection: Collection, verified: Sequence[Verified]
) -> None:
    """Raises for what people have to do."""
    remaining = [f"{each.ref} {each.wrong} ({each.way_out})" for each in findings if each.remains]
    remaining += collection.errors
    remaining += [
        f"{each.ref} is not as it was written; see: groupstream verify" for each in verified if not each.passed
    ]
    if remaining:
        raise CorruptError(f"{len(remaining):,} things remain to be done in {root}; the first: {remaining[0]}")
