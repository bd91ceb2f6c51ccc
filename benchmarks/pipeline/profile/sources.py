"""The sources of the grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.pipeline.build import spec_of
from benchmarks.pipeline.make_data import Data, make_source
from benchmarks.pipeline.pages import write_jsonl
from benchmarks.pipeline.profile.found import EXAMPLES_A_GROUP, FEW_GROUPS, PAGE_BYTES, Shape

EXAMPLE_BYTES = (100, 1_000, 10_000, 100_000)


def grid(megabytes: float) -> list[Shape]:
    """Sizes at 1 KB an example, a factor of eight apart; then other examples at the middle size."""
    middle = megabytes / 8
    sizes = [Shape(megabytes=m, groups=g) for m in (middle / 8, middle, megabytes) for g in ("few", "many")]
    others = [
        Shape(megabytes=middle, example_bytes=size, groups=groups)
        for size in EXAMPLE_BYTES
        for groups in ("few", "many")
    ]
    pages = Shape(megabytes=middle, example_bytes=PAGE_BYTES, kind="jsonl")
    return list(dict.fromkeys([*sizes, *others, pages]))


def make_spec(shape: Shape, folder: Path, num_workers: int) -> dict[str, Any]:
    """The spec of a build; its source is made below `folder`, if it is not there."""
    if shape.kind == "jsonl":
        return _pages(shape, folder, num_workers)
    num_groups = FEW_GROUPS if shape.groups == "few" else shape.num_examples // EXAMPLES_A_GROUP
    data = Data(shape.num_examples, num_groups, shape.example_bytes)
    made = make_source(folder, f"profile-{shape.example_bytes}-{shape.groups}", data)
    return spec_of(made.source, "key", num_workers)


def _pages(shape: Shape, folder: Path, num_workers: int) -> dict[str, Any]:
    target = folder / f"profile-pages-{shape.num_examples}"
    source = {"kind": "jsonl", "paths": [f"{target}/*.json.gz"], "features": ["text", "url"]}
    if not (target / "whole").exists():
        source = write_jsonl(target, shape.num_examples)
        (target / "whole").touch()
    spec = spec_of(source, "url", num_workers)
    return {**spec, "partitioner": {"kind": "url_domain", "feature": "url"}, "text_features": ["text"]}
