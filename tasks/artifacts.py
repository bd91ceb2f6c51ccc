"""Shows versions and checks in the Prefect UI: in the artifacts of the run, one click away."""

from __future__ import annotations

from urllib.parse import quote

from prefect import task
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE

from cards import format_bytes, format_count
from cards.text import visible_line
from groupstream import layout
from groupstream.commands.check_table import summary as summary_of_checks
from groupstream.manifest import CheckResult, Manifest
from groupstream.stores import is_url
from pipelines.checks import Checked

_QUARANTINE = """
Examples that broke a check are beside it:

```bash
groupstream quarantine {}
```"""


@task(name="show-version", cache_policy=NO_CACHE)
def show_version(manifest: Manifest, location: str) -> None:
    """A Markdown artifact with the figures of the version and how to load it, and a link to its card."""
    key = artifact_key(manifest.name)
    create_markdown_artifact(version_summary(manifest, location), key=key, description=manifest.ref)
    create_link_artifact(browsable(f"{location}/{layout.CARD}"), "card", key=f"{key}-card", description=manifest.ref)


@task(name="show-checks", cache_policy=NO_CACHE)
def show_checks(name: str, checked: Checked, report: str | None) -> None:
    """A table of all checks; of a build that failed, also its report in Markdown, and a link to it."""
    key = artifact_key(name)
    rows = [check_row(result) for result in checked.results]
    create_table_artifact(rows, key=f"{key}-checks", description=summary_of_checks(checked.results))
    if checked.failed and report is not None:
        link = browsable(f"{report}/{layout.REPORT}")
        text = failure_summary(name, checked, report)
        create_markdown_artifact(text, key=f"{key}-report", description="not published")
        create_link_artifact(link, "the whole report", key=f"{key}-report-page", description="not published")


def artifact_key(name: str) -> str:
    """The name of a dataset as Prefect takes it: dashes, no underscores."""
    return name.replace("_", "-").strip("-")


def browsable(location: str) -> str:
    """Where a browser finds an object: a bucket of Google's has an address for people who are logged in."""
    if location.startswith("gs://"):
        return f"https://storage.cloud.google.com/{quote(location.removeprefix('gs://'))}"
    return location if is_url(location) else f"file://{quote(location)}"


def check_row(result: CheckResult) -> dict[str, str]:
    """A check as a row of a table."""
    return {
        "result": "passed" if result.passed else "FAILED",
        "of": result.kind,
        "check": visible_line(result.name),
        "limit": visible_line(result.limit),
        "observed": visible_line(result.observed),
        "offenders": "; ".join(visible_line(offender) for offender in result.offenders),
    }


def failure_summary(name: str, checked: Checked, report: str) -> str:
    """What failed, as Markdown."""
    rows = [" | ".join(map(_cell, list(check_row(result).values())[1:])) for result in checked.failed]
    return "\n".join(
        [
            f"# {name} is not published",
            "",
            f"{summary_of_checks(checked.results)}:",
            "",
            "| of | check | limit | observed | offenders |",
            "|---|---|---|---|---|",
            *(f"| {row} |" for row in rows),
            "",
            f"The whole report is `{report}/{layout.REPORT}`.",
            *(_QUARANTINE.format(report).splitlines() if _has_quarantine(checked) else []),
        ]
    )


def _has_quarantine(checked: Checked) -> bool:
    return any(result.kind == "examples" and not result.passed for result in checked.results)


def version_summary(manifest: Manifest, location: str) -> str:
    """The figures of a version as Markdown."""
    rows = []
    for name, split in manifest.splits.items():
        s = split.statistics
        sizes = " / ".join(format_count(n) for _, n in s.group_sizes)
        rows.append(
            f"| {name} | {s.num_groups:,} | {s.num_examples:,} | {format_bytes(s.num_bytes)} "
            f"| {s.num_words:,} | {sizes} |"
        )
    return "\n".join(
        [
            f"# {manifest.ref}",
            "",
            manifest.description,
            "",
            "| Split | Groups | Examples | Bytes | Words | Examples per group at 10 / 50 / 90 % / max |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            f"{summary_of_checks(manifest.checks)}. In `{location}`. Load it with:",
            "",
            "```python",
            "import groupstream",
            f'dataset = groupstream.open("{manifest.ref}")',
            "```",
        ]
    )


def _cell(text: str) -> str:
    """Text that stays in its cell of a Markdown table."""
    escaped = "".join(f"&#{ord(c)};" if c in "|<>&`*_[]\\" else c for c in text)
    return escaped.replace("\n", " ")
