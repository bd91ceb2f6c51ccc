"""Shows in the Prefect UI what a maintenance run found, mended, freed and read."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from cards import format_bytes
from cards.text import visible_line
from lifecycle.findings import Finding
from tasks.artifacts import check_row
from tasks.collect import Collection
from tasks.end_runs import EndedRun
from tasks.sweep import Swept
from tasks.verify import Verified


@task(name="show-findings", task_run_name="show what the doctor found", cache_policy=NO_CACHE)
def show_findings(findings: Sequence[Finding]) -> None:
    """A table of what the doctor found."""
    remaining = sum(finding.remains for finding in findings)
    described = f"{len(findings):,} found, {sum(f.mended for f in findings):,} mended, {remaining:,} to be done"
    create_table_artifact([finding_row(each) for each in findings], key="maintain-findings", description=described)


@task(name="show-ended-runs", task_run_name="show the runs that ended", cache_policy=NO_CACHE)
def show_ended_runs(ended: Sequence[EndedRun]) -> None:
    """A table of the runs that had not said how they ended."""
    rows = [{"run": run.id, "of": run.dataset, "state": run.state, "why": visible_line(run.error)} for run in ended]
    create_table_artifact(rows, key="maintain-ended-runs", description=f"{len(ended):,} runs died and are recorded now")


@task(name="show-collection", task_run_name="show what nothing keeps", cache_policy=NO_CACHE)
def show_collection(collection: Collection) -> None:
    """A table of what goes, or would go."""
    plan, freed = collection.plan, sum(each.freed_bytes for each in collection.done)
    planned = format_bytes(sum(item.num_bytes for item in plan.items))
    done = f"{format_bytes(freed)} freed" if collection.done else "dry run"
    described = f"{len(plan.kept):,} versions kept, {len(plan.items):,} items to go ({planned}); {done}"
    create_table_artifact(collection_rows(collection), key="maintain-collection", description=described)


@task(name="show-swept", task_run_name="show what was swept", cache_policy=NO_CACHE)
def show_swept(swept: Swept) -> None:
    """A table of the staging areas of dead builds that went, if any did."""
    rows = [{"result": "swept", "what": visible_line(area)} for area in swept.areas]
    rows += [{"result": "REMAINS", "what": visible_line(error)} for error in swept.errors]
    if rows:
        described = f"{len(swept.areas):,} staging areas of dead builds swept"
        create_table_artifact(rows, key="maintain-swept", description=described)


@task(name="show-verified", task_run_name="show what was verified", cache_policy=NO_CACHE)
def show_verified(verified: Sequence[Verified], key: str = "maintain-verified") -> None:
    """A table of the checks of the versions that were read again."""
    rows = [{"version": visible_line(each.ref), **check_row(result)} for each in verified for result in each.results]
    described = f"{len(verified):,} versions read, {sum(not each.passed for each in verified):,} not as written"
    create_table_artifact(rows, key=key, description=described)


def finding_row(finding: Finding) -> dict[str, str]:
    """A finding as a row of a table."""
    outcome = "mended" if finding.mended else "note" if finding.is_note else "REMAINS"
    told = {"of": finding.ref, "what": finding.wrong, "way out": finding.way_out}
    return {"result": outcome, "kind": finding.kind, **{key: visible_line(text) for key, text in told.items()}}


def collection_rows(collection: Collection) -> list[dict[str, str]]:
    """What goes, then what waits for the end of its grace."""
    outcomes = {each.item: each.error or f"{format_bytes(each.freed_bytes)} freed" for each in collection.done}
    plan = collection.plan
    states = [(item, outcomes.get(item, "planned")) for item in plan.items]
    states += [(item, f"from {item.free_from:%Y-%m-%d %H:%M}") for item in plan.waiting if item.free_from]
    return [
        {
            "result": visible_line(state),
            "what": item.kind,
            "of": visible_line(item.ref),
            "bytes": format_bytes(item.num_bytes),
            "why": visible_line(item.why),
        }
        for item, state in states
    ]
