"""Shows a published version in the Prefect UI."""

from __future__ import annotations

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from cards import format_bytes, format_count
from groupstream.manifest import Manifest


@task(name="show-version", cache_policy=NO_CACHE)
def show_version(manifest: Manifest, location: str) -> None:
    """A Markdown artifact with the figures of the version, and how to load it."""
    create_markdown_artifact(summary(manifest, location), key=manifest.name.replace("_", "-"), description=manifest.ref)


def summary(manifest: Manifest, location: str) -> str:
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
            f"In `{location}`. Load it with:",
            "",
            "```python",
            "import groupstream",
            f'dataset = groupstream.open("{manifest.ref}")',
            "```",
        ]
    )
