"""A published version that is grouped in another way: the same examples, in other groups."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import groupstream
from groupstream.verify import verify
from specs.model import Spec

pytestmark = pytest.mark.integration

GOLDEN = Path(__file__).parents[1] / "golden/v1"


@pytest.fixture
def build(with_server, root):
    """Builds a version of an existing one; what comes of it."""
    from flows.build_dataset import build_dataset

    def build_from(**fields: Any):
        spec = Spec.model_validate({"name": "again", "publish": {"root": str(root)}, **fields})
        dataset = groupstream.open(build_dataset(spec).location)
        verify(dataset)
        return dataset

    return build_from


def examples_of(split) -> Counter:
    return Counter(
        tuple(sorted((name, repr(value)) for name, value in example.items() if name != "old_group"))
        for group in split
        for example in group.examples()
    )


@pytest.mark.parametrize("chosen", [None, ["author", "note", "old_group", "score", "text", "year"]])
def test_examples_in_are_examples_out(build, chosen):
    before = groupstream.open(GOLDEN / "text/1.0.0")["train"]
    source = {"kind": "groupstream", "ref": "text", "root": str(GOLDEN), "group_feature": "old_group"}
    dataset = build(source={**source, "features": chosen}, partitioner={"kind": "feature", "feature": "year"})
    split = dataset["train"]
    assert examples_of(split) == examples_of(before)
    assert split.num_examples == before.num_examples
    years = {str(example["year"]) for group in before for example in group.examples()}
    assert {group.name for group in split} == years
    old_groups = Counter(example["old_group"] for group in split for example in group.examples())
    assert old_groups == {group.id: group.num_examples for group in before}
    manifest = groupstream.open(GOLDEN / "text/1.0.0").manifest
    assert (dataset.manifest.source["ref"], dataset.manifest.source["digest"]) == (manifest.ref, manifest.digest)


def test_version_is_partitioned_back_to_what_it_was(build):
    before = groupstream.open(GOLDEN / "text/1.0.0")["train"]
    first = {"kind": "groupstream", "ref": "text", "root": str(GOLDEN), "group_feature": "old_group"}
    by_year = build(source=first, partitioner={"kind": "feature", "feature": "year"})
    second = {"kind": "groupstream", "ref": by_year.location}
    back = build(source=second, partitioner={"kind": "feature", "feature": "old_group"})["train"]
    assert {group.id: group.num_examples for group in back} == {group.id: group.num_examples for group in before}
    assert examples_of(back) == examples_of(before)
