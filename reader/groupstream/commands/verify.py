"""The command `groupstream verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from groupstream.commands.options import Json, Ref, Root
from groupstream.commands.printing import format_bytes, progress_bar, to_json, visible

if TYPE_CHECKING:
    from groupstream.manifest import CheckResult, Manifest
    from groupstream.verify_finding import Finding


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("verify", epilog="Example: groupstream verify stdlib@latest --full")(verify)


def verify(
    ref: Ref,
    full: Annotated[bool, typer.Option("--full", help="Read all of a large version too.")] = False,
    root: Root = None,
    json: Json = False,
) -> None:
    """Compare a version with what was written: files, checksums, index, groups.

    Of a version with more than 256 MiB of examples a sample is read, the same one each time, unless --full is given.
    """
    from groupstream.dataset import open_dataset
    from groupstream.errors import CorruptError
    from groupstream.verify import Extent, run_checks

    dataset = open_dataset(ref, root)
    manifest, extent = dataset.manifest, Extent(full)
    findings = []
    with progress_bar("Reading", extent.planned_bytes(manifest), in_bytes=True) as advance:
        for finding in run_checks(dataset, extent, advance):
            findings.append(finding)
            if not json:
                typer.echo(_lines(finding.result()))
    failed = [finding for finding in findings if not finding.passed]
    found = _summary(manifest, findings, is_whole=extent.reads_all(manifest))
    typer.echo(to_json(found) if json else _sentence(found, len(failed)))
    if failed:
        raise CorruptError(failed[0].faults[0].message)


def _lines(result: CheckResult) -> str:
    """One line, and one for each offender."""
    first = f"{'passed' if result.passed else 'failed'}  {result.name}: {result.observed} ({result.limit})"
    return visible("\n".join([first, *(f"        {offender}" for offender in result.offenders)]))


def _summary(manifest: Manifest, findings: list[Finding], *, is_whole: bool) -> dict[str, Any]:
    files = manifest.all_files()
    return {
        "ref": manifest.ref,
        "passed": all(finding.passed for finding in findings),
        "is_whole": is_whole,
        "files": len(files),
        "bytes": sum(file.size_bytes for file in files),
        "examples": sum(split.statistics.num_examples for split in manifest.splits.values()),
        "checks": [finding.result().model_dump(mode="json") for finding in findings],
    }


def _sentence(found: dict[str, Any], num_failed: int) -> str:
    ref, files = found["ref"], f"{found['files']} files, {format_bytes(found['bytes'])}"
    if num_failed:
        return f"{ref} is not as it was written: {num_failed} of {len(found['checks'])} checks failed"
    if found["is_whole"]:
        return f"{ref} is as it was written: {files}, {found['examples']:,} examples"
    return f"{ref} is as it was written, as far as a sample tells: {files}; read all with --full"
