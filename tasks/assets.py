"""A published version as an asset of Prefect: the event that says so can start whatever is to follow."""

from __future__ import annotations

from typing import Any

from prefect.assets import Asset, AssetProperties
from prefect.types.names import MAX_ASSET_KEY_LENGTH, RESTRICTED_ASSET_CHARACTERS

from groupstream import layout
from groupstream.manifest import Manifest
from groupstream.stores import is_url
from tasks.links import browsable

MADE_BY = "groupstream"  # the tool that the event names
_MAX_DESCRIPTION = 500
_REPLACED = str.maketrans(dict.fromkeys(RESTRICTED_ASSET_CHARACTERS, "_"))


def asset_key(root: str, name: str) -> str:
    """The address of a dataset, without a version: the same for all its versions.

    Characters that Prefect takes in no key are `_`, and of a longer one than it takes, the end counts.

    >>> asset_key("/data/my sets", "fedwiki"), asset_key("gs://bucket/sets", "fedwiki")
    ('file:///data/my_sets/fedwiki', 'gs://bucket/sets/fedwiki')
    """
    scheme, path = root.split("://", 1) if is_url(root) else ("file", root)
    begin, end = f"{scheme}://", f"{path}/{name}".translate(_REPLACED)
    return begin + end[-(MAX_ASSET_KEY_LENGTH - len(begin)) :]


def dataset_asset(root: str, manifest: Manifest) -> Asset:
    """The asset of which a version is the newest state."""
    location = f"{root}/{manifest.name}/{manifest.version}"
    properties = AssetProperties(
        name=manifest.name,
        url=browsable(f"{location}/{layout.CARD}"),
        description=manifest.description[:_MAX_DESCRIPTION] or None,
    )
    return Asset(key=asset_key(root, manifest.name), properties=properties)


def published_payload(root: str, manifest: Manifest) -> dict[str, Any]:
    """What the event says of the version."""
    splits = [split.statistics for split in manifest.splits.values()]
    return {
        "root": root,
        "name": manifest.name,
        "version": manifest.version,
        "ref": manifest.ref,
        "location": f"{root}/{manifest.name}/{manifest.version}",
        "digest": manifest.digest,
        "splits": sorted(manifest.splits),
        "num_groups": sum(s.num_groups for s in splits),
        "num_examples": sum(s.num_examples for s in splits),
        "num_bytes": sum(s.num_bytes for s in splits),
    }
