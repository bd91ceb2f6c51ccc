"""The version that a build makes: its number, its files, its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cards.croissant import croissant
from cards.hub_card import hub_card
from groupstream import ConflictError, layout
from groupstream.commit import claim_version, describe_file, read_claim
from groupstream.layout import version_key
from groupstream.manifest import Manifest, canonical_json
from groupstream.refs import published_versions
from groupstream.stores import Store
from groupstream.tfds_metadata import dataset_info_json, features_json
from pipelines.card import draw_card, partitioner_in_words, splits_in_words
from pipelines.checks import Checked, checks_json
from pipelines.content_store import Content
from pipelines.draft import Draft
from pipelines.plan import Plan
from pipelines.previous import previous_version


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


def describe_version(draft: Draft, checked: Checked, version: str, store: Store) -> Version:
    """Gives a checked draft its number, draws its cards and describes every file.

    Args:
        store: where earlier versions are, which the card compares it with.
    """
    manifest = draft.manifest.model_copy(update={"version": version, "checks": checked.results})
    previous = previous_version(store, manifest.name, version)
    more: dict[str, bytes] = {
        "features.json": canonical_json(features_json(manifest.features)),
        "dataset_info.json": canonical_json(
            dataset_info_json(manifest.name, version, manifest.description, manifest.splits)
        ),
        layout.README: hub_card(manifest, partitioner_in_words(manifest.spec), splits_in_words(manifest.spec)).encode(),
        layout.CROISSANT: canonical_json(croissant(manifest)),
        layout.CARD: draw_card(manifest, draft.dataset, previous).encode(),
        layout.CHECKS: checks_json(checked.results),
        layout.DATA_DOCS: checked.data_docs,
    }
    described = tuple(describe_file(path, content) for path, content in more.items())
    return Version(manifest.model_copy(update={"files": manifest.files + described}), {**draft.files, **more})
