"""What the card says of a version as a whole: what it is, how it was built, what its examples hold."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from markupsafe import Markup

from cards.content import CardContent
from cards.room import Fitting, cut_to_page, fitting
from cards.text import code_spans, format_bytes, format_number_of, format_short_count, visible_line
from groupstream.features import Feature
from groupstream.manifest import Manifest

_TEXT_BYTES = 20_000  # of a description, a citation, a spec
_FEATURES_BYTES = 100_000
_ADDRESS = re.compile(r"https?://[^\s<>\"'`\\]{1,500}")


@dataclass(frozen=True)
class About:
    """What it is. Each is empty where the spec does not say it; `address` is a link, where the homepage is one."""

    description: str
    license: str
    homepage: str
    address: str
    citation: str


@dataclass(frozen=True)
class BigFigure:
    """A big figure, and a line below it that puts it in proportion."""

    value: str
    name: str
    note: str


@dataclass(frozen=True)
class FeatureRow:
    """One feature of the examples."""

    name: str
    kind: str
    shape: str
    optional: str
    labels: str


def about(manifest: Manifest) -> About:
    """What a version is, by its spec; older ones say less."""
    homepage = _text(manifest.spec, "homepage")
    return About(
        description=cut_to_page(manifest.description, _TEXT_BYTES),
        license=visible_line(_text(manifest.spec, "license"), 300) if manifest.spec.get("license") else "",
        homepage=visible_line(homepage, 500) if homepage else "",
        address=homepage if _ADDRESS.fullmatch(homepage) else "",
        citation=cut_to_page(_text(manifest.spec, "citation"), _TEXT_BYTES),
    )


def _text(spec: Mapping[str, Any], key: str) -> str:
    value = spec.get(key)
    return value.strip() if isinstance(value, str) else ""


def big_figures(manifest: Manifest, num_groups: int) -> list[BigFigure]:
    """How large all splits are together."""
    found = [split.statistics for split in manifest.splits.values()]
    examples, size, words = (
        sum(getattr(s, name) for s in found) for name in ("num_examples", "num_bytes", "num_words")
    )
    each = max(1, examples)
    figures = [
        BigFigure(format_short_count(num_groups), "groups", f"in {format_number_of(len(found), 'split')}"),
        BigFigure(format_short_count(examples), "examples", f"{examples / max(1, num_groups):,.1f} per group"),
        BigFigure(format_bytes(size), "of data", f"{format_bytes(size / each)} each"),
    ]
    if words:
        figures.append(BigFigure(format_short_count(words), "words", f"{words / each:,.1f} per example"))
    return figures


def feature_rows(manifest: Manifest) -> Fitting:
    """The features by name, as many as there is room for."""
    features = manifest.features
    rows = (_feature_row(name, feature) for name, feature in sorted(features.items()))
    return fitting(rows, len(features), lambda row: (row.name, row.labels, " " * 200), _FEATURES_BYTES)


def _feature_row(name: str, feature: Feature) -> FeatureRow:
    shape = " × ".join("any number" if size is None else str(size) for size in feature.shape[:10])
    labels = ", ".join(visible_line(label, 40) for label in (feature.labels or ())[:20])
    num_labels = len(feature.labels or ())
    return FeatureRow(
        name=visible_line(name),
        kind=f"{feature.image_format} image" if feature.image_format else feature.dtype,
        shape="list" if feature.shape == (None,) else shape or "scalar",
        optional="optional" if feature.optional else "always",
        labels=f"{num_labels:,} classes: {labels}{', …' if num_labels > 20 else ''}" if labels else "",
    )


def build_rows(content: CardContent) -> dict[str, str | Markup]:
    """How it was built, by what that is about."""
    manifest = content.manifest
    partitioner = manifest.spec.get("partitioner", {})
    rows: dict[str, str | Markup] = {
        "Groups": code_spans(content.partitioner) if content.partitioner else _one_line(partitioner),
        "Splits": code_spans(content.splitting) if content.splitting else _one_line(manifest.spec.get("splits")),
        "Partitioner": _one_line(partitioner),
        "Source": _one_line(manifest.source),
        "Built with": ", ".join(f"{visible_line(k, 100)} {visible_line(v, 100)}" for k, v in _first(manifest.code)),
        "Stored order": f"by a hash with the seed {manifest.seed}",
        "Digest": visible_line(manifest.digest),
        "Format": f"version {manifest.format_version}",
    }
    return rows if content.partitioner else {k: v for k, v in rows.items() if k != "Groups"}


def _first(items: Mapping[str, str], most: int = 20) -> list[tuple[str, str]]:
    return sorted(items.items())[:most]


def spec_text(manifest: Manifest) -> str:
    """The spec as YAML."""
    return cut_to_page(yaml.safe_dump(manifest.spec, allow_unicode=True, width=100), _TEXT_BYTES)


def _one_line(value: Any) -> str:
    """`kind: url_domain, feature: url`, with the kind first."""
    if not isinstance(value, Mapping):
        return visible_line(value if isinstance(value, str) else json.dumps(value, sort_keys=True), 400)
    items = sorted(value.items(), key=lambda item: (item[0] != "kind", str(item[0])))
    texts = (f"{k}: {v if isinstance(v, str) else json.dumps(v, sort_keys=True, default=str)}" for k, v in items)
    return visible_line(", ".join(texts) or "unknown", 400)
