"""Shows versions and checks in the Prefect UI: in the artifacts of the run, one click away."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from prefect import task
from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

import groupstream
from cards.hub_card import hub_text
from cards.images import data_url
from cards.markdown import escaped_line, link
from cards.sizes_picture import sizes_picture
from cards.text import visible_line
from groupstream import layout
from groupstream.commands.check_table import summary as summary_of_checks
from groupstream.manifest import CheckResult, Manifest
from pipelines.card import partitioner_in_words, splits_in_words
from pipelines.checks import Checked
from tasks.links import browsable, browsable_folder

_SIZE = "num_examples"
_MAX_KEY = 200
_log = logging.getLogger("groupstream")
_QUARANTINE = """
Examples that broke a check are beside it:

```bash
groupstream quarantine {}
```"""


@task(name="show-version", task_run_name="show {manifest.ref}", cache_policy=NO_CACHE)
def show_version(manifest: Manifest, location: str, built: bool = True) -> None:
    """The card of the version in Markdown, where it lies, and, where it is new, how large its groups are.

    It is published whatever happens here.
    """
    outcome = "is published" if built else "was there already, with the same spec and source: nothing was built"
    get_run_logger().info("%s %s. It lies in %s", manifest.ref, outcome, location)
    with never_failing(f"all of {manifest.ref}"):
        _show_version(manifest, location, built)


@contextmanager
def never_failing(what: str) -> Iterator[None]:
    """A run does not fail for what Prefect does not show of it: the log says so."""
    try:
        yield
    except Exception as error:
        _log.warning("Prefect does not show %s: %s", what, error)


def _show_version(manifest: Manifest, location: str, built: bool) -> None:
    key = artifact_key(manifest.name)
    described = manifest.ref if built else f"{manifest.ref} was there already: same spec, same source"
    create_markdown_artifact(version_card(manifest, location, built), key=key, description=described)
    create_markdown_artifact(version_links(location), key=f"{key}-version", description=described)
    if built and (picture := _sizes_picture(manifest, location)) is not None:
        url = data_url(picture.encode(), "svg+xml")
        create_image_artifact(url, key=f"{key}-sizes", description=f"Examples per group of {manifest.ref}")


@task(name="show-checks", task_run_name="show the checks", cache_policy=NO_CACHE)
def show_checks(name: str, checked: Checked, report: str | None) -> None:
    """A table of all checks; of a build that failed, also its report in Markdown, and a link to it."""
    with never_failing(f"the checks of {name}"):
        _show_checks(artifact_key(name), name, checked, report)


def _show_checks(key: str, name: str, checked: Checked, report: str | None) -> None:
    rows = [check_row(result) for result in checked.results]
    create_table_artifact(rows, key=f"{key}-checks", description=summary_of_checks(checked.results))
    if checked.failed and report is not None:
        link = browsable(f"{report}/{layout.REPORT}")
        text = failure_summary(name, checked, report)
        create_markdown_artifact(text, key=f"{key}-report", description="not published")
        create_link_artifact(link, "the whole report", key=f"{key}-report-page", description="not published")


def artifact_key(name: str) -> str:
    """The name of a dataset, or the path of a version, as Prefect takes it: only letters, digits and dashes."""
    return re.sub("[^a-z0-9-]", "-", name.lower())[-_MAX_KEY:].strip("-")


def check_row(result: CheckResult) -> dict[str, str]:
    """A check as a row of a table."""
    return {
        "result": "passed" if result.passed else "FAILED",
        "check": visible_line(result.name),
        "observed": visible_line(result.observed),
        "limit": visible_line(result.limit),
        "offenders": "; ".join(visible_line(offender) for offender in result.offenders),
        "of": result.kind,
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
            "| check | observed | limit | offenders | of |",
            "|---|---|---|---|---|",
            *(f"| {row} |" for row in rows),
            "",
            f"The whole report is `{report}/{layout.REPORT}`.",
            *(_QUARANTINE.format(report).splitlines() if _has_quarantine(checked) else []),
        ]
    )


def _has_quarantine(checked: Checked) -> bool:
    return any(result.kind == "examples" and not result.passed for result in checked.results)


def version_card(manifest: Manifest, location: str, built: bool = True) -> str:
    """The card of a version as Markdown."""
    card = link("card with pictures", browsable(f"{location}/{layout.CARD}"))
    place = f"It lies in {escaped_line(location, 1000)}, with a {card}."
    found = "" if built else "**Nothing was built: the same spec and the same source gave this version before.** "
    words = partitioner_in_words(manifest.spec), splits_in_words(manifest.spec)
    return hub_text(manifest, f"{found}{place}", *words)


def version_links(location: str) -> str:
    """Where the version and its card are, as links and as text: a browser opens no file of another machine."""
    card = f"{location}/{layout.CARD}"
    shown = {"Card with pictures": link(card, browsable(card)), "All files": link(location, browsable_folder(location))}
    return "\n".join(f"- {what}: {where}" for what, where in shown.items())


def _sizes_picture(manifest: Manifest, location: str) -> str | None:
    root = location.removesuffix(f"/{manifest.name}/{manifest.version}")
    columns = {name: split.group_table([_SIZE])[_SIZE] for name, split in groupstream.open(manifest.ref, root).items()}
    sizes = {name: column.to_numpy() for name, column in columns.items()}
    return sizes_picture(f"How large the groups of {manifest.ref} are", sizes)


def _cell(text: str) -> str:
    """Text that stays in its cell of a Markdown table."""
    escaped = "".join(f"&#{ord(c)};" if c in "|<>&`*_[]\\" else c for c in text)
    return escaped.replace("\n", " ")
