"""What the dataset card says: figures and text, ready for the template."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import yaml
from jinja2 import Environment, StrictUndefined, Template

from cards.samples import ShownExample, show_example
from cards.split_part import figures_of, split_part
from cards.text import finalize, format_count, format_share, visible_line
from groupstream.features import Feature
from groupstream.manifest import Counts, Manifest

MAX_EXAMPLES = 3


@dataclass(frozen=True)
class FeatureRow:
    """One feature of the examples."""

    name: str
    kind: str
    shape: str
    optional: str
    labels: str


def render_card(
    manifest: Manifest,
    group_tables: Mapping[str, pa.Table],
    samples: Sequence[Mapping[str, object]],
    label_tables: Mapping[str, pa.Table] | None = None,
    *,
    notice: str = "",
) -> str:
    """The card of a version, as one HTML page.

    It depends on the values of its arguments only, not on the order of keys in the manifest: so a manifest
    that was written and read again has the same card.

    Args:
        manifest: of the version. Its `files` and `digest` need not know the card yet.
        group_tables: the group table of each split, at least its columns group_id, num_examples, num_bytes and
            num_words. A few passes over whole columns: about 2 seconds for two million groups.
        samples: examples to show, as Python values by feature name, with their group under "group_id"; the
            first three are shown. uint8 arrays of shape (height, width, 1 or 3) are shown as images.
        label_tables: the label table of each split that has one, with the columns of `group_table.LABEL_SCHEMA`.
        notice: a line to stand above everything.
    """
    tables = dict(sorted(group_tables.items(), key=lambda item: (-_num_examples(item[1]), item[0])))
    label_names = _label_names(manifest)
    page = _template().render(
        manifest=manifest,
        notice=notice,
        failed=[check for check in manifest.checks if not check.passed],
        figures=figures_of(tables),
        splits=[
            split_part(f"split{i}", name, table, (label_tables or {}).get(name), label_names)
            for i, (name, table) in enumerate(tables.items())
        ],
        features=[_feature_row(name, feature) for name, feature in sorted(manifest.features.items())],
        examples=_shown_examples(manifest, samples),
        build=_build_rows(manifest),
        spec_text=yaml.safe_dump(manifest.spec, allow_unicode=True, width=100),
        counts=_count_rows(manifest.counts),
        code=_loading_code(manifest.ref, next(iter(tables), "train")),
    )
    return page.rstrip() + "\n"


def _num_examples(table: pa.Table) -> int:
    return int(pc.sum(table["num_examples"]).as_py() or 0)


def _label_names(manifest: Manifest) -> tuple[str, ...] | None:
    """The names of the classes: of the feature that the spec names, or else of the only one that has names."""
    wanted = manifest.spec.get("label_feature")
    named = {name: f.labels for name, f in manifest.features.items() if f.labels and (not wanted or name == wanted)}
    return next(iter(named.values())) if len(named) == 1 else named.get("label")


@functools.cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, finalize=finalize, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(resources.files("cards").joinpath("card.html").read_text(encoding="utf-8"))


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
