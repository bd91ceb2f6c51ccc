"""What the dataset card says: figures and text, ready for the template."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from cards.plots import Ints, draw_group_sizes, is_logarithmic
from cards.samples import ShownExample, show_example
from cards.text import (
    finalize,
    format_bytes,
    format_count,
    format_number_of,
    format_share,
    format_short_count,
    visible_line,
)
from groupstream.features import Feature
from groupstream.manifest import Counts, Manifest

MAX_EXAMPLES = 3
MAX_LARGEST = 10
WIDE_INCHES, NARROW_INCHES = 9.4, 4.4  # the picture on a desk and on a phone
_MARKS = {"10 %": 0.1, "50 %": 0.5, "90 %": 0.9, "max": 1.0}


@dataclass(frozen=True)
class Figure:
    """A big figure, and a line below it that puts it in proportion."""

    value: str
    name: str
    note: str


@dataclass(frozen=True)
class LargeGroup:
    """One of the largest groups. `bar_percent` is relative to the largest."""

    name: str
    num_examples: str
    share: str
    bar_percent: float


@dataclass(frozen=True)
class SplitPart:
    """What the card says about one split."""

    name: str
    summary: str
    pictures: Mapping[str, Markup]
    scale: str
    percentiles: Mapping[str, Sequence[str]]
    largest: Sequence[LargeGroup]


@dataclass(frozen=True)
class FeatureRow:
    """One feature of the examples."""

    name: str
    kind: str
    shape: str
    optional: str
    labels: str


def render_card(
    manifest: Manifest, group_tables: Mapping[str, pa.Table], samples: Sequence[Mapping[str, object]]
) -> str:
    """The card of a version, as one HTML page.

    It depends on the values of its arguments only, not on the order of keys in the manifest: so a manifest
    that was written and read again has the same card.

    Args:
        manifest: of the version. Its `files` and `digest` need not know the card yet.
        group_tables: the group table of each split, with the columns of `group_table.SCHEMA`. A few passes
            over whole columns: about 2 seconds for two million groups.
        samples: examples to show, as Python values by feature name, with their group under "group_id"; the
            first three are shown. uint8 arrays of shape (height, width, 1 or 3) are shown as images.
    """
    tables = dict(sorted(group_tables.items(), key=lambda item: (-_total(item[1], "num_examples"), item[0])))
    page = _template().render(
        manifest=manifest,
        figures=_figures_of(tables),
        splits=[_split_part(f"split{i}", name, table) for i, (name, table) in enumerate(tables.items())],
        features=[_feature_row(name, feature) for name, feature in sorted(manifest.features.items())],
        examples=_shown_examples(manifest, samples),
        build=_build_rows(manifest),
        spec_text=yaml.safe_dump(manifest.spec, allow_unicode=True, width=100),
        counts=_count_rows(manifest.counts),
        code=_loading_code(manifest.ref, next(iter(tables), "train")),
    )
    return page.rstrip() + "\n"


@functools.cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, finalize=finalize, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(resources.files("cards").joinpath("card.html").read_text(encoding="utf-8"))


def _figures_of(tables: Mapping[str, pa.Table]) -> list[Figure]:
    totals = {c: sum(_total(t, c) for t in tables.values()) for c in ("num_examples", "num_bytes", "num_words")}
    num_groups = _count_groups(list(tables.values()))
    per_group = totals["num_examples"] / max(1, num_groups)
    per_example = max(1, totals["num_examples"])
    return [
        Figure(format_short_count(num_groups), "groups", f"in {format_number_of(len(tables), 'split')}"),
        Figure(format_short_count(totals["num_examples"]), "examples", f"{per_group:,.1f} per group"),
        Figure(format_bytes(totals["num_bytes"]), "of data", f"{format_bytes(totals['num_bytes'] / per_example)} each"),
        Figure(
            format_short_count(totals["num_words"]), "words", f"{totals['num_words'] / per_example:,.1f} per example"
        ),
    ]


def _count_groups(tables: Sequence[pa.Table]) -> int:
    """Distinct groups: where examples are split within groups, a group is in several splits."""
    if len(tables) < 2:
        return sum(map(len, tables))
    ids = pa.chunked_array([chunk for table in tables for chunk in table["group_id"].chunks], pa.binary())
    return int(pc.count_distinct(ids).as_py())


def _total(table: pa.Table, column: str) -> int:
    return int(pc.sum(table[column]).as_py() or 0)


def _split_part(key: str, name: str, table: pa.Table) -> SplitPart:
    sizes = table["num_examples"].to_numpy()
    return SplitPart(
        name=visible_line(name),
        summary=f"{format_number_of(len(table), 'group')}, {format_number_of(int(sizes.sum()), 'example')}",
        pictures=_pictures(key, sizes) if len(sizes) else {},
        scale="logarithmic" if len(sizes) and is_logarithmic(sizes) else "linear",
        percentiles={
            "examples": [format_count(v) for v in percentiles(sizes).values()],
            "bytes": [format_bytes(v) for v in percentiles(table["num_bytes"].to_numpy()).values()],
            "words": [format_count(v) for v in percentiles(table["num_words"].to_numpy()).values()],
        },
        largest=_largest_groups(table, sizes),
    )


def percentiles(values: Ints) -> dict[str, int]:
    """The values at 10, 50 and 90 % of the groups, and the largest, as `statistics_of` takes them."""
    if not len(values):
        return dict.fromkeys(_MARKS, 0)
    found = np.quantile(values, list(_MARKS.values()), method="lower")
    return dict(zip(_MARKS, map(int, found), strict=True))


def _pictures(key: str, sizes: Ints) -> dict[str, Markup]:
    marks = percentiles(sizes)
    widths = {"wide": WIDE_INCHES, "narrow": NARROW_INCHES}
    return {width: draw_group_sizes(sizes, marks, inches, f"{key}-{width}") for width, inches in widths.items()}


def _largest_groups(table: pa.Table, sizes: Ints) -> list[LargeGroup]:
    order = np.argsort(-sizes, kind="stable")[:MAX_LARGEST]
    total = int(sizes.sum())
    return [
        LargeGroup(
            name=visible_line(table["group_id"][int(row)].as_py(), 80),
            num_examples=format_count(int(sizes[row])),
            share=format_share(int(sizes[row]), total),
            bar_percent=round(100 * int(sizes[row]) / max(1, int(sizes[order[0]])), 1),
        )
        for row in order
    ]


def _feature_row(name: str, feature: Feature) -> FeatureRow:
    shape = " × ".join("any number" if size is None else str(size) for size in feature.shape)
    labels = ", ".join(visible_line(label, 40) for label in (feature.labels or ())[:20])
    num_labels = len(feature.labels or ())
    return FeatureRow(
        name=visible_line(name),
        kind=f"{feature.image_format} image" if feature.image_format else feature.dtype,
        shape="list" if feature.shape == (None,) else shape or "scalar",
        optional="optional" if feature.optional else "always",
        labels=f"{num_labels} classes: {labels}{', …' if num_labels > 20 else ''}" if labels else "",
    )


def _shown_examples(manifest: Manifest, samples: Sequence[Mapping[str, object]]) -> list[ShownExample]:
    features = dict(sorted(manifest.features.items()))
    return [show_example(example, features) for example in samples[:MAX_EXAMPLES]]


def _build_rows(manifest: Manifest) -> dict[str, str]:
    partitioner = manifest.spec.get("partitioner", {})
    return {
        "Partitioner": _one_line(partitioner),
        "Source": _one_line(manifest.source),
        "Digest": visible_line(manifest.digest),
        "Seed": str(manifest.seed),
        "Built with": _one_line(manifest.code),
        "Format": f"version {manifest.format_version}",
    }


def _one_line(value: Any) -> str:
    """`kind: url_domain, feature: url`, with the kind first."""
    if not isinstance(value, Mapping):
        return visible_line(value if isinstance(value, str) else json.dumps(value, sort_keys=True), 400)
    items = sorted(value.items(), key=lambda item: (item[0] != "kind", str(item[0])))
    texts = (f"{k}: {v if isinstance(v, str) else json.dumps(v, sort_keys=True, default=str)}" for k, v in items)
    return visible_line(", ".join(texts) or "unknown", 400)


def _count_rows(counts: Counts) -> list[tuple[str, str, str]]:
    """Name, number and share of the examples: in, dropped for each reason, out."""
    dropped = sorted(counts.dropped.items(), key=lambda item: (-item[1], item[0]))
    rows = [("read from the source", counts.examples_in)]
    rows += [(f"dropped: {visible_line(reason)}", number) for reason, number in dropped]
    rows += [("in this version", counts.examples_out)]
    return [(name, format_count(number), format_share(number, counts.examples_in)) for name, number in rows]


def _loading_code(ref: str, split: str) -> list[str]:
    lines = f"""import groupstream

dataset = groupstream.open({json.dumps(ref, ensure_ascii=False)})
for group in dataset[{json.dumps(split, ensure_ascii=False)}]:
    print(group.name, group.num_examples)"""
    tfds = f"""import tensorflow_datasets as tfds

builder = tfds.builder_from_directory(dataset.location)
examples = builder.as_dataset(split={json.dumps(split, ensure_ascii=False)})"""
    return [lines, tfds]
