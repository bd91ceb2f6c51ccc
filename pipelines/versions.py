"""The version that a build makes: its files, its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cards.croissant import croissant
from cards.hub_card import hub_card
from groupstream import layout
from groupstream.commit import describe_file
from groupstream.manifest import Manifest, canonical_json
from groupstream.stores import Store
from groupstream.tfds_metadata import dataset_info_json, features_json
from pipelines.card import draw_card, partitioner_in_words, splits_in_words
from pipelines.checks import Checked, checks_json
from pipelines.content_store import Content
from pipelines.draft import Draft
from pipelines.previous import previous_version


@dataclass(frozen=True)
class Version:
    """A version ready to be published: its manifest, and the content of each of its files."""

    manifest: Manifest
    files: Mapping[str, Content]


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
