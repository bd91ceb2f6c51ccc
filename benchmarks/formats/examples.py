"""The examples of each size, as a version of ours; every other format is made from it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.pipeline.build import spec_of
from benchmarks.pipeline.make_data import Data, _parquet_source, _write_parquet
from groupstream import layout
from groupstream.commit import claim_version, commit_version
from groupstream.stores import LocalStore
from pipelines.draft import draft_version
from pipelines.partition import partition
from pipelines.plan import make_plan
from pipelines.staging import staging_area
from specs import Spec

EXAMPLE_BYTES = 122  # of which 22 are the key of the group, and the text has 100 on average: 50 to 150


@dataclass(frozen=True)
class Size:
    """How many examples, and in how many Zipf-sized groups."""

    num_examples: int
    num_groups: int

    @property
    def name(self) -> str:
        """Of the version."""
        return f"texts-{self.num_examples}"

    def __str__(self) -> str:
        return f"{self.num_examples:,} examples in {self.num_groups:,} groups"


SIZES = tuple(Size(10**n, 10 ** (n - 1)) for n in range(3, 8))


def make_examples(folder: Path, size: Size) -> None:
    """Publishes the version under `folder`, if it is not there."""
    version = f"{size.name}/1.0.0"
    if (folder / version / layout.MANIFEST).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as source:
        _write_parquet(Path(source), Data(size.num_examples, size.num_groups, EXAMPLE_BYTES))
        spec = {**spec_of(_parquet_source(Path(source)), "key"), "name": size.name}
        _build(folder, version, Spec.model_validate(spec))


def _build(root: Path, version: str, spec: Spec) -> None:
    """What a flow does, without a server and a registry."""
    plan, store = make_plan(spec), LocalStore(root)
    with staging_area(root) as staging:
        draft = draft_version(plan, partition(plan, staging), store)
        manifest = draft.manifest.model_copy(update={"version": version.rpartition("/")[2]})
        claim_version(store, version, manifest.digest, {})
        commit_version(store, version, manifest, draft.files)
