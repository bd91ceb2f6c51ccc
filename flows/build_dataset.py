"""Spec in, published version out."""

from __future__ import annotations

from prefect import flow

from flows.result import BuildResult
from groupstream.manifest import Manifest
from groupstream.refs import default_root
from groupstream.stores import open_store
from pipelines.checks import refuse_failed
from pipelines.runners import prepare_workers
from pipelines.staging import refuse_unwritable, staging_for
from registry import default_registry_url
from specs import Spec
from specs.policy import refuse_large_source
from tasks.admit import admit
from tasks.artifacts import show_checks, show_version
from tasks.cancelled import is_cancelled
from tasks.catalog import update_catalog
from tasks.check import check
from tasks.claim import claim
from tasks.describe import describe
from tasks.draft import draft
from tasks.find_built import find_built
from tasks.find_earlier import find_earlier
from tasks.keep_report import keep
from tasks.locate import locate
from tasks.masking import masked_errors
from tasks.partition import partition
from tasks.publish import publish
from tasks.register import recorded_run, register, register_found
from tasks.reporting import Stages
from tasks.slots import build_slot
from tasks.story import told_run
from tasks.sweep import sweep_published
from tasks.time_limit import limited_time


@flow(name="build-dataset", flow_run_name="build {spec.name}", persist_result=False)
def build_dataset(spec: Spec) -> BuildResult:
    """Builds a dataset as its spec says, or finds that this version exists."""
    with masked_errors():
        return _build(spec)


def _build(spec: Spec) -> BuildResult:
    stages = Stages()
    with limited_time():
        admit(spec)
        store, distributed = open_store(spec.publish.root or default_root()), spec.runner.is_distributed
        refuse_unwritable(store, spec.runner.staging, is_distributed=distributed)
        prepare_workers(spec.runner)
    with told_run(spec.name), build_slot(store, spec.name), limited_time():  # waiting for its turn does not count
        with stages("Locate"):
            plan = locate(spec)
        refuse_large_source(plan.source.get("num_bytes"))
        with recorded_run(plan, store, default_registry_url(store.root), stages) as run:
            if (found := find_built(plan, store)) is not None:  # a version is a mapping, and may be empty
                register_found(run, found.manifest)
                sweep_published(plan, store)
                show_version(found.manifest, found.location, built=False)
                return _result(found.manifest, found.location, stages, built=False)
            earlier = find_earlier(plan, store)
            area = staging_for(
                store, spec.runner.staging, is_distributed=distributed, digest=plan.digest, is_cancelled=is_cancelled
            )
            with area as staging:
                with stages("Partition"):
                    partitioned = partition(plan, staging)
                with stages("Check"):
                    drafted = draft(plan, partitioned, store)
                    checked = check(plan, drafted, earlier)
                    report = keep(drafted, checked, partitioned.quarantine, run.id, store)
                run.checked(checked.results, report)
                show_checks(spec.name, checked, report)
                refuse_failed(checked.results, report)
                with stages("Number"):
                    number = claim(plan, store, run.claim(), drafted)
                with stages("Draw the card"):
                    version = describe(drafted, checked, number.version, store)
                folder = f"{spec.name}/{number.version}"
                location = f"{store.root}/{folder}"
                run.reserved(version.manifest)
                with stages("Publish"):
                    publish(version, store, folder)
                with stages("Register"):
                    register(run, version.manifest)
                    update_catalog(store)
    show_version(version.manifest, location)
    return _result(version.manifest, location, stages, built=True, why=number.why)


def _result(manifest: Manifest, location: str, stages: Stages, *, built: bool, why: str = "") -> BuildResult:
    seconds = stages.seconds
    return BuildResult(manifest=manifest, location=location, built=built, why=why, stage_seconds=seconds)
