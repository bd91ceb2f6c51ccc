"""What `groupstream preview` says: as JSON, and on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from cards.label_part import skew_figures
from cards.text import format_share, visible_line
from groupstream.commands.printing import counted
from groupstream.commands.stats import histogram_table
from groupstream.group_sizes import histogram, summarize
from groupstream.label_skew import label_skew
from pipelines.preview import Preview, SplitPreview, least_groups, unseen_share

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

MAX_LARGEST = 10
_UNSEEN_WORTH_SAYING = 0.001


def describe_preview(found: Preview) -> dict[str, Any]:
    """All that was found, ready for JSON."""
    tally = found.tally
    return {
        "name": found.plan.spec.name,
        "partitioner": found.plan.spec.partitioner.model_dump(mode="json"),
        "sample": {
            "num_examples": tally.examples_in,
            "num_pieces": found.num_pieces,
            "pieces_of_source": len(found.plan.pieces),
            "complete": found.complete,
            "in_words": sample_line(found),
        },
        "dropped": {
            reason: {"num_examples": count, "places": [words for _, _, words in tally.offenders[reason]]}
            for reason, count in sorted(tally.dropped.items())
        },
        "label_feature": found.plan.label_feature,
        "splits": {name: _describe_split(split) for name, split in found.splits.items()},
        "warnings": list(_warnings(found)),
    }


def sample_line(found: Preview) -> str:
    """Which examples were looked at."""
    examples, pieces = counted(found.tally.examples_in, "example"), counted(len(found.plan.pieces), "piece")
    if found.complete:
        return f"all {examples} of the source, {pieces}"
    of = pieces if found.num_pieces == len(found.plan.pieces) else f"{found.num_pieces:,} of {pieces}"
    return f"a sample: the first {examples} of {of}" if len(found.plan.pieces) == 1 else f"a sample: {examples} of {of}"


def _describe_split(split: SplitPreview) -> dict[str, Any]:
    ascending = split.sizes[::-1]
    skew = label_skew(split.labels) if split.labels is not None and len(split.labels) else None
    return {
        "num_groups": len(split.sizes),
        "sizes": asdict(summarize(ascending)),
        "histogram": [asdict(bar) for bar in histogram(ascending)],
        "largest": split.groups.slice(0, MAX_LARGEST).to_pylist(),
        "labels": None if skew is None else asdict(skew),
        "unseen_share": unseen_share(split.sizes),
        "least_groups": least_groups(split.sizes),
    }


def _warnings(found: Preview) -> list[str]:
    """What a sample cannot show."""
    return [] if found.complete else [*_about_groups(found), *_about_labels(found)]


def _about_groups(found: Preview) -> Iterator[str]:
    if found.counted:
        yield (
            "the groups follow from counts of this sample: those of the whole source have about the same shares of "
            "it, and are as much larger as it is larger"
        )
        return
    sizes = _all_sizes(found)
    if (unseen := unseen_share(sizes)) >= _UNSEEN_WORTH_SAYING:
        yield (
            f"a sample shows fewer groups than the whole: {unseen:.1%} of its examples are alone in their group, so "
            f"about as many of the next ones would begin a new group. With {len(sizes):,} groups here there are at "
            f"least about {least_groups(sizes):,} (if examples of a group do not stand together), and all are larger"
        )


def _about_labels(found: Preview) -> Iterator[str]:
    label = found.plan.label_feature
    named = found.plan.features[label].labels if label is not None else None
    tables = [split.labels["label"] for split in found.splits.values() if split.labels is not None]
    seen = len(pa.chunked_array([chunk for table in tables for chunk in table.chunks], pa.binary()).unique())
    if named and seen < len(named):
        yield (
            f"the sample has {seen:,} of {len(named):,} labels: the source seems to be sorted by them, so the labels "
            "of its groups are not those of the whole. Raise --limit"
        )


def _all_sizes(found: Preview) -> np.ndarray:
    """int64[num_groups]: examples of each group, whatever their splits."""
    groups = pa.concat_tables([split.groups for split in found.splits.values()])
    return groups.group_by("group_id").aggregate([("num_examples", "sum")])["num_examples_sum"].to_numpy()


def print_report(console: Console, report: dict[str, Any]) -> None:
    """The same for people."""
    from rich.text import Text

    console.print(Text(report["name"], "bold"), Text(report["sample"]["in_words"], "dim"))
    for reason, dropped in report["dropped"].items():
        count, places = dropped["num_examples"], ", ".join(dropped["places"])
        share = format_share(count, report["sample"]["num_examples"])
        console.print(Text(f"dropped ({reason}): {count:,} ({share}), first at {places}", "yellow"))
    for name, split in report["splits"].items():
        _print_split(console, name, split, report["label_feature"])
    for warning in report["warnings"]:
        console.print(Text(f"note: {warning}", "yellow"))


def _print_split(console: Console, name: str, split: dict[str, Any], label_feature: str | None) -> None:
    from rich.text import Text

    sizes = split["sizes"]
    console.print()
    title = f"{name}: {counted(split['num_groups'], 'group')}, {counted(sizes['total'], 'example')}"
    console.print(Text(title, "bold"))
    if not split["num_groups"]:
        return
    console.print(_figures(split))
    if (labels := split["labels"]) is not None:
        mean = f"{labels['labels_a_group']:.1f} of {counted(labels['num_labels'], 'label')}"
        words = f"{label_feature}: a group has {mean} on average; distance is that of total variation, 0 to 1"
        console.print(Text(visible_line(words), "dim"))
    console.print()
    bins = {"by": "examples", "bins": split["histogram"]}
    console.print(histogram_table(bins, console.width, "utf" in console.encoding.lower()))
    console.print()
    console.print(_largest(split["largest"], sizes["total"]))


def _figures(split: dict[str, Any]) -> Table:
    """Percentiles over groups, one row a figure."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("at this share of groups")
    for mark in ("10 %", "50 %", "90 %", "max"):
        table.add_column(mark, justify="right")
    at = split["sizes"]["percentiles"]
    table.add_row("examples of a group", *(f"{at[p]:,}" for p in (10, 50, 90)), f"{split['sizes']['max']:,}")
    if (labels := split["labels"]) is not None:
        for what, values in skew_figures(labels["top_share"], labels["distance"]).items():
            table.add_row(what, *values)
    return table


def _largest(groups: list[dict[str, Any]], total: int) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("largest groups", overflow="ellipsis", no_wrap=True, max_width=60)
    table.add_column("examples", justify="right")
    table.add_column("share", justify="right")
    for group in groups:
        count = group["num_examples"]
        table.add_row(Text(visible_line(group["group_id"], 80)), f"{count:,}", format_share(count, total))
    return table
