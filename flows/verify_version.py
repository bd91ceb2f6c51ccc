"""Reads one published version again, all of it. A publication may start it: see automations.yaml."""

from __future__ import annotations

from prefect import flow

from groupstream import CorruptError
from groupstream.manifest import CheckResult
from groupstream.refs import default_root
from groupstream.stores import open_store
from specs.policy import refuse_forbidden_version
from tasks.artifacts import artifact_key
from tasks.maintenance_artifacts import show_verified
from tasks.masking import masked_errors
from tasks.run_log import run_log
from tasks.verify import verify_whole


@flow(name="verify-version", flow_run_name="verify {ref}", persist_result=False)
def verify_version(ref: str, root: str | None = None) -> list[CheckResult]:
    """Compares every byte of a version with its manifest. Fails where one differs.

    Args:
        ref: such as fedwiki@1.2.0, or fedwiki@stable.
        root: where the datasets lie. Default: $GROUPSTREAM_ROOT, or ~/groupstream.
    """
    with masked_errors():
        return _verify(ref, root)


def _verify(ref: str, root: str | None) -> list[CheckResult]:
    refuse_forbidden_version(ref, root)
    store = open_store(root or default_root())
    with run_log():
        verified = verify_whole(store, ref)
        show_verified([verified], f"{artifact_key(ref.partition('@')[0])}-verified")
    if not verified.passed:
        raise CorruptError(f"{ref} in {store.root} is not as it was written; see: groupstream verify {ref} --full")
    return verified.results
