"""The version that a build makes: its number, its files, its manifest."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cards import render_card
from groupstream import ConflictError, layout
from groupstream.commit import claim_version, describe_file, read_claim
from groupstream.dataset import Dataset
from groupstream.features import GROUP_ID
from groupstream.layout import version_key
from groupstream.manifest import Manifest, canonical_json
from groupstream.refs import published_versions
from groupstream.stores import Store
from groupstream.tfds_metadata import dataset_info_json, features_json
from pipelines.checks import Checked
from pipelines.content_store import Content
from pipelines.draft import Draft
from pipelines.plan import Plan

_SAMPLES = 3


@dataclass(frozen=True)
class Version:
    """A version ready to be published: its manifest, and the content of each of its files."""

    manifest: Manifest
    files: Mapping[str, Content]


def find_built(plan: Plan, store: Store) -> str | None:
    """The published version that this plan would build again, the newest of them."""
    return _built_among(published_versions(store, plan.spec.name), plan, store)


def claim_number(plan: Plan, store: Store, run: Mapping[str, Any]) -> str:
    """Claims the number of the new version: the one of the spec, or the next major one that no other build has.

    Two builds of one plan at once get the same number: they write the same bytes.

    Raises:
        ConflictError: another build has the number of the spec.
    """
    name, wanted = plan.spec.name, plan.spec.publish.version
    if wanted is not None:
        if not claim_version(store, f"{name}/{wanted}", plan.digest, run):
            raise ConflictError(
                f"{name}@{wanted} in {store.root} was built from another spec or source, or is being built; "
                "a version never changes. Set publish.version to another number, or leave it out"
            )
        return wanted
    published = published_versions(store, name)
    if built := _built_among(published, plan, store):  # by another run, since this one looked
        return built
    major = version_key(published[-1])[0] + 1 if published else 1
    while not claim_version(store, f"{name}/{major}.0.0", plan.digest, run):
        major += 1
    return f"{major}.0.0"


def _built_among(published: list[str], plan: Plan, store: Store) -> str | None:
    claims = {version: read_claim(store, f"{plan.spec.name}/{version}") for version in published}
    return next((v for v in reversed(published) if claims[v].get("digest") == plan.digest), None)


def describe_version(draft: Draft, checked: Checked, version: str) -> Version:
    """Gives a checked draft its number, draws its card and describes every file.

    Raises:
        CorruptError: what was written cannot be read.
    """
    manifest = draft.manifest.model_copy(update={"version": version, "checks": checked.results})
    more: dict[str, bytes] = {
        "features.json": canonical_json(features_json(manifest.features)),
        "dataset_info.json": canonical_json(
            dataset_info_json(manifest.name, version, manifest.description, manifest.splits)
        ),
        layout.CARD: _card(manifest, draft.dataset),
    }
    described = tuple(describe_file(path, content) for path, content in more.items())
    return Version(manifest.model_copy(update={"files": manifest.files + described}), {**draft.files, **more})


def _card(manifest: Manifest, dataset: Dataset) -> bytes:
    columns = ["group_id", "num_examples", "num_bytes", "num_words"]  # that it needs; the others take as much memory
    tables = {name: split.group_table(columns) for name, split in dataset.items()}
    stored = {file.path for file in dataset.manifest.files}
    labels = {
        name: pq.read_table(pa.BufferReader(dataset.read_file(layout.label_table_file(name))))
        for name in dataset
        if layout.label_table_file(name) in stored
    }
    return render_card(manifest, tables, _samples(dataset), labels).encode()


def _samples(dataset: Dataset) -> list[dict[str, Any]]:
    """The first example of each of the first groups of the first split."""
    split = next(iter(dataset.values()))
    return [
        {GROUP_ID: group.id, **next(group.examples())}
        for rows in itertools.islice(split.index_file.rows(0, _SAMPLES), 1)
        for group in split.groups_of(rows)
    ]
