"""Where a version comes from, what came of it, and who used it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from groupstream.layout import is_name, is_version
from groupstream.manifest import Manifest
from lifecycle.changing import PublishedVersion

if TYPE_CHECKING:
    from registry import Registry
    from registry.records import Lineage, PullRecord, RelatedVersion, RunRecord

_MAX_DEPTH = 20


@dataclass(frozen=True)
class Relative:
    """A version at the other end of a lineage, and those beyond it.

    Attributes:
        root: of its store; None where it is not known, as its state.
        beyond: the parents of a parent, the children of a child.
    """

    ref: str
    digest: str
    root: str | None = None
    state: str | None = None
    beyond: tuple[Relative, ...] = ()


class Reader(NamedTuple):
    """Somebody who pulled a version, as they call themselves."""

    by: str
    num_pulls: int
    num_bytes: int
    last_at: datetime


@dataclass(frozen=True)
class VersionLineage:
    """What is known of a version beside what is in it.

    Attributes:
        parents: what it was partitioned anew from.
        children: what was partitioned anew from it.
        built_by: the run that built it; `run` is its id, which may be known alone.
        used_by: runs that read it, newest first.
        pulled_by: who pulled it, who did so last first.
    """

    ref: str
    root: str
    digest: str
    state: str
    run: str | None = None
    built_by: RunRecord | None = None
    parents: tuple[Relative, ...] = ()
    children: tuple[Relative, ...] = ()
    used_by: tuple[RunRecord, ...] = ()
    pulled_by: tuple[Reader, ...] = ()


def lineage_of(published: PublishedVersion, registry: Registry | None) -> VersionLineage:
    """What is known of a version. Without a registry, what its manifest says: what it was partitioned anew from."""
    manifest, root = published.manifest, published.store.root
    if registry is None:
        return VersionLineage(manifest.ref, root, manifest.digest, "published", parents=tuple(_source_of(manifest)))
    name, version = manifest.name, manifest.version
    rows = [row for row in registry.versions(name, root) if row.version == version]
    run = rows[0].run_id if rows else None
    found = registry.lineage(root, name, version)
    return VersionLineage(
        manifest.ref,
        root,
        manifest.digest,
        rows[0].state if rows else "published",
        run,
        registry.run(run) if run else None,
        _relatives(registry, found.parents, lambda lineage: lineage.parents) or tuple(_source_of(manifest)),
        _relatives(registry, found.children, lambda lineage: lineage.children),
        tuple(found.runs),
        tuple(_readers(registry.pulls(root, name, version))),
    )


def _source_of(manifest: Manifest) -> Iterable[Relative]:
    """The version that it was made from, as its manifest says it."""
    ref, digest = str(manifest.source.get("ref", "")), str(manifest.source.get("digest", ""))
    name, _, version = ref.partition("@")
    if digest and is_name(name) and is_version(version):
        yield Relative(ref, digest)


def _relatives(
    registry: Registry,
    related: Iterable[RelatedVersion],
    following: Callable[[Lineage], list[RelatedVersion]],
    depth: int = 1,
) -> tuple[Relative, ...]:
    def relative(one: RelatedVersion) -> Relative:
        is_known = one.root is not None and depth < _MAX_DEPTH
        beyond = following(registry.lineage(one.root, one.name, one.version)) if is_known and one.root else []
        further = _relatives(registry, beyond, following, depth + 1)
        return Relative(f"{one.name}@{one.version}", one.digest, one.root, one.state, further)

    return tuple(map(relative, related))


def _readers(pulls: Iterable[PullRecord]) -> list[Reader]:
    readers: dict[str, Reader] = {}
    for pull in pulls:
        before = readers.get(pull.by, Reader(pull.by, 0, 0, pull.at))
        last = max(pull.at, before.last_at)
        readers[pull.by] = Reader(pull.by, before.num_pulls + 1, before.num_bytes + pull.num_bytes, last)
    return sorted(readers.values(), key=lambda reader: (reader.last_at, reader.by), reverse=True)
