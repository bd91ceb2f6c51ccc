"""The page: what there is to say, put into the templates."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template

from cards.about_part import about, big_figures, build_rows, feature_rows, spec_text
from cards.changes_part import change_part
from cards.checks_part import check_part
from cards.content import CardContent
from cards.counts_part import count_part
from cards.loading import loading_code
from cards.room import Fitting
from cards.samples import show_examples
from cards.split_part import SplitPart, split_part
from cards.split_rows import split_rows
from cards.text import code_spans, finalize
from groupstream.manifest import Manifest

MAX_DRAWN_SPLITS = 6  # with all their pictures, about 130 kB each; a table names the others


def render_card(content: CardContent) -> str:
    """The card of a version, as one HTML page of less than 2 MB.

    It depends on the values of its arguments only, not on the order of keys in the manifest: so a manifest
    that was written and read again has the same card. Of the largest split it holds about 70 bytes a group.
    """
    manifest = content.manifest
    names = _largest_first(manifest)
    labels = label_names(manifest)
    page = _template().render(
        manifest=manifest,
        notice=content.notice,
        about=about(manifest),
        figures=big_figures(manifest, content.num_groups),
        split_rows=split_rows(manifest, names),
        splits=_split_parts(content, names, labels),
        other_splits=Fitting([], max(0, len(names) - MAX_DRAWN_SPLITS)).more("split"),
        features=feature_rows(manifest),
        examples=show_examples(content.samples, manifest.features),
        build=build_rows(content),
        splitting=content.splitting,
        spec_text=spec_text(manifest),
        counts=count_part(manifest.counts, content.rejected),
        checks=check_part(manifest.checks),
        changes=None if content.differences is None else change_part(content.differences, labels),
        code=loading_code(manifest, "train" if "train" in names else next(iter(names), "train")),
    )
    return page.rstrip() + "\n"


def label_names(manifest: Manifest) -> tuple[str, ...] | None:
    """The names of the classes: of the feature that the spec names, or else of the only one that has names."""
    wanted = manifest.spec.get("label_feature")
    named = {name: f.labels for name, f in manifest.features.items() if f.labels and (not wanted or name == wanted)}
    return next(iter(named.values())) if len(named) == 1 else named.get("label")


def _largest_first(manifest: Manifest) -> list[str]:
    sizes: Mapping[str, Any] = manifest.splits
    return sorted(sizes, key=lambda name: (-sizes[name].statistics.num_examples, name))


def _split_parts(content: CardContent, names: list[str], labels: Sequence[str] | None) -> list[SplitPart]:
    drawn = [name for name in names if name in content.splits][:MAX_DRAWN_SPLITS]
    return [split_part(f"split{i}", name, content.splits[name], labels) for i, name in enumerate(drawn)]


@functools.cache
def _template() -> Template:
    folder = resources.files("cards")
    environment = Environment(
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
    )
    environment.filters["code_spans"] = code_spans
    return environment.get_template("card.html")
