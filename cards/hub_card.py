"""The README.md of a version: its card for the Hugging Face Hub, and for all who look into the folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from cards.hub_metadata import front_matter
from cards.licenses import find_license, is_web_address
from cards.markdown import escaped_line, escaped_text, escaped_words, fenced, link, table
from cards.text import format_bytes, format_count, format_share, shorten, visible_line
from groupstream import layout
from groupstream.features import Feature
from groupstream.manifest import CheckResult, Manifest, SplitInfo

_MAX_LABELS = 20  # that are named, of one feature
_MAX_SPEC = 20_000  # characters; a spec may list all groups that it expects


def hub_card(manifest: Manifest, partitioner: str = "", splitting: str = "") -> str:
    """The content of README.md: YAML for the Hub, then Markdown.

    It says what the manifest says, wholly determined by it; the page with pictures is `layout.CARD`. Of
    `manifest.files` it looks for the label tables only, so it need not know the other files yet.

    Args:
        manifest: of the version, with its number and its checks.
        partitioner: what the partitioner does, in words, with names of features between backticks.
        splitting: which examples are in which split, in words.
    """
    place = f"The [card with pictures]({layout.CARD}) lies beside this file: download it to open it."
    return f"{front_matter(manifest)}\n{hub_text(manifest, place, partitioner, splitting)}"


def hub_text(manifest: Manifest, place: str, partitioner: str = "", splitting: str = "") -> str:
    """The Markdown of `hub_card`, to be shown elsewhere.

    Args:
        place: a sentence in Markdown that says where the card with pictures is.
    """
    return "\n\n".join(_parts(manifest, place, (partitioner, splitting))) + "\n"


def _parts(manifest: Manifest, place: str, words: tuple[str, ...]) -> Iterator[str]:
    splits = sorted(manifest.splits.items(), key=lambda item: (-item[1].statistics.num_examples, item[0]))
    yield f"# {escaped_line(manifest.name)}"
    if manifest.description:
        yield escaped_text(manifest.description)
    yield f"Version {visible_line(manifest.version)} of a dataset whose examples belong to groups. {place}"
    yield _figures(splits)
    yield "## Sizes of the groups\n\nExamples per group, at a percentage of the groups:"
    yield _group_sizes(splits)
    yield "## Features of an example"
    yield _features(manifest.features)
    yield f"Each record also carries the id of its group, as bytes, in {escaped_line(manifest.group_feature)}."
    yield from _loading(manifest, next((name for name, _ in splits), "train"))
    yield from _building(manifest, words)
    yield "## Where each example went"
    yield _counts(manifest)
    yield from _checks(manifest.checks)
    yield from _citation(manifest.spec)


def _figures(splits: list[tuple[str, SplitInfo]]) -> str:
    def row(name: str, numbers: list[int]) -> list[str]:
        groups, examples, num_bytes, words, files = numbers
        counts = map(format_count, (groups, examples, words, files))
        return [name, next(counts), next(counts), format_bytes(num_bytes), *counts]

    figures = {escaped_line(name): _numbers(split) for name, split in splits}
    rows = [row(name, numbers) for name, numbers in figures.items()]
    if len(figures) > 1:
        total = [sum(column) for column in zip(*figures.values(), strict=True)]
        rows.append([f"**{cell}**" for cell in row("together", total)])
    return table(["split", "groups", "examples", "bytes", "words", "files"], rows)


def _numbers(split: SplitInfo) -> list[int]:
    s = split.statistics
    return [s.num_groups, s.num_examples, s.num_bytes, s.num_words, len(split.shards)]


def _group_sizes(splits: list[tuple[str, SplitInfo]]) -> str:
    sizes = [(name, split.statistics.group_sizes) for name, split in splits]
    rows = [[escaped_line(name), *map(format_count, (s.p10, s.p50, s.p90, s.max))] for name, s in sizes]
    return table(["split", "10 %", "50 %", "90 %", "max"], rows)


def _features(features: Mapping[str, Feature]) -> str:
    rows = [[escaped_line(name), *_describe(feature)] for name, feature in sorted(features.items())]
    return table(["name", "type", "shape", "presence"], rows, numbers_from=4)


def _describe(feature: Feature) -> tuple[str, str, str]:
    kind = f"{feature.image_format} image" if feature.image_format else feature.dtype
    if labels := feature.labels:
        named = ", ".join(escaped_line(label, 40) for label in labels[:_MAX_LABELS])
        kind += f"; {len(labels)} classes: {named}{', …' if len(labels) > _MAX_LABELS else ''}"
    shape = " × ".join("any number" if size is None else str(size) for size in feature.shape)
    shape = "list" if feature.shape == (None,) else shape or "scalar"
    return kind, shape, "optional" if feature.optional else "always"


def _loading(manifest: Manifest, split: str) -> Iterator[str]:
    ref, name = json.dumps(manifest.ref, ensure_ascii=False), json.dumps(split, ensure_ascii=False)
    yield "## How to load it"
    yield "Groups, with `pip install groupstream`; in place of the name, the address of this folder does as well:"
    yield fenced(
        f"import groupstream\n\ndataset = groupstream.open({ref})\nfor group in dataset[{name}]:\n"
        "    print(group.name, group.num_examples)",
        "python",
    )
    yield "The same as a `datasets.Dataset`, with its groups in a column:"
    yield fenced(f"examples = dataset[{name}].to_hf()", "python")
    yield "Only the table of groups, from a copy of this folder, without groupstream:"
    yield fenced(
        f'import datasets\n\ngroups = datasets.load_dataset("path/to/this/folder", "groups", split={name})', "python"
    )


def _building(manifest: Manifest, words: tuple[str, ...]) -> Iterator[str]:
    facts = {
        "Partitioner": _one_line(manifest.spec.get("partitioner") or {}),
        "Source": _one_line(manifest.source),
        "Built with": _one_line(manifest.code),
        "Digest": manifest.digest,
    }
    yield "## How it was built"
    if any(words):
        yield escaped_words(" ".join(filter(None, words)))
    yield "\n".join(f"- {name}: {escaped_line(value, 400)}" for name, value in facts.items() if value)
    yield "<details>\n<summary>The spec, without what it leaves open</summary>"
    text = yaml.safe_dump(_without_nulls(manifest.spec), allow_unicode=True, width=100)
    yield fenced(shorten(text, _MAX_SPEC), "yaml")
    yield "</details>"


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner not in (None, "", [])}
    return value


def _one_line(values: Mapping[str, Any]) -> str:
    """`url_domain, feature: url`: the kind first, and what was left at none left out."""
    items = sorted((item for item in values.items() if item[1] is not None), key=lambda item: (item[0] != "kind", item))
    texts = (value if isinstance(value, str) else json.dumps(value, sort_keys=True) for _, value in items)
    return ", ".join(t if key == "kind" else f"{key}: {t}" for (key, _), t in zip(items, texts, strict=True))


def _counts(manifest: Manifest) -> str:
    counts = manifest.counts
    dropped = sorted(counts.dropped.items(), key=lambda item: (-item[1], item[0]))
    rows = [("read from the source", counts.examples_in)]
    rows += [(f"dropped: {escaped_line(reason)}", number) for reason, number in dropped]
    rows += [("in this version", counts.examples_out)]
    cells = [[name, format_count(number), format_share(number, counts.examples_in)] for name, number in rows]
    found = table(["examples", "number", "share"], cells)
    regrouped = [f"{format_count(number)} {escaped_line(what)}" for what, number in sorted(counts.regrouped.items())]
    return (
        f"{found}\n\nGroups that are not as the partitioner made them: {', '.join(regrouped)}." if regrouped else found
    )


def _checks(checks: tuple[CheckResult, ...]) -> Iterator[str]:
    yield "## Checks"
    if not checks:
        yield "The spec asked for no checks."
        return
    rows = []
    for check in checks:
        found = "; ".join([check.observed, *check.offenders])
        outcome = "passed" if check.passed else "**failed**"
        rows.append(
            [escaped_line(check.name), check.kind, escaped_line(check.limit), escaped_line(found, 400), outcome]
        )
    yield table(["check", "of", "limit", "observed", "result"], rows, numbers_from=5)


def _citation(spec: Mapping[str, Any]) -> Iterator[str]:
    name, homepage, citation = (str(spec.get(key) or "").strip() for key in ("license", "homepage", "citation"))
    yield "## Licence and citation"
    known = find_license(name)
    address = known.url if known else name
    shown = known.spdx_id if known else visible_line(name, 400)
    if name:
        yield f"Licence: {link(shown, address) if is_web_address(address) else escaped_line(shown, 400)}"
    else:
        yield "The spec names no licence."
    if homepage:
        yield f"More about it: {link(homepage, homepage) if is_web_address(homepage) else escaped_line(homepage)}"
    if citation:
        yield fenced(citation, "bibtex" if citation.startswith("@") else "text")
