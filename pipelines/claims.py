"""The number of a new version: it follows from what is published, and is claimed before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from groupstream import ConflictError, CorruptError, layout
from groupstream.catalog import read_catalog
from groupstream.commit import claim_version, read_claim
from groupstream.layout import is_version, version_key
from groupstream.refs import published_versions
from groupstream.stores import Store
from pipelines.asked_number import refuse_taken, refuse_untrue
from pipelines.changes import Changes, DraftChanges
from pipelines.contents import OnGroups
from pipelines.draft import Draft
from pipelines.numbering import Level, Taken, keeps_its_word, level_between, next_number
from pipelines.plan import Plan

_THREADS = 16  # that read claims at once
_ATTEMPTS = 100


@dataclass(frozen=True)
class Number:
    """The number that a version gets.

    Attributes:
        changes: what the comparison found; None for the first version, and where another run has published this one.
        why: how it came to the number, in a line: "minor: 5 groups added (compared with 1.0.0)".
    """

    version: str
    why: str
    changes: Changes | None = None

    def __str__(self) -> str:
        return self.version


def find_built(plan: Plan, store: Store) -> str | None:
    """The published version that this plan would build again, the newest of them.

    Raises:
        ConflictError: there is none, and another build has the number of the spec: known before anything is built.
    """
    taken, wanted = numbers_taken(store, plan.spec.name, plan.digest), plan.spec.publish.version
    if taken.built is None and wanted is not None:
        refuse_taken(wanted, taken, store, plan.spec.name)
    return taken.built


def claim_number(
    plan: Plan, store: Store, run: Mapping[str, Any], draft: Draft, on_groups: OnGroups = lambda count: None
) -> Number:
    """Claims the number of the new version: the one of the spec, or the next one that promises no more than is true.

    Two builds of one plan at once get the same number: they write the same bytes.

    Args:
        run: who claims it and when, for people to read.
        draft: what will be published, to be compared with the version before it.
        on_groups: called with the number of groups whose examples have just been read; see `changes_between`.

    Raises:
        ConflictError: another build has the number of the spec.
        SpecError: the number of the spec promises what is not so.
    """
    name, wanted = plan.spec.name, plan.spec.publish.version
    compared = DraftChanges(store, draft.dataset, on_groups)
    for _ in range(_ATTEMPTS):
        taken = numbers_taken(store, name, plan.digest)
        if taken.built is not None:
            return Number(taken.built, "another run has published it meanwhile")
        if wanted is not None:
            refuse_taken(wanted, taken, store, name)
            refuse_untrue(wanted, taken, compared, store, name)
        base = taken.latest if wanted is None else taken.before(wanted)
        changes = compared.since(base) if base else None
        level = changes.level if changes else Level.MAJOR
        number = wanted or next_number(base, level, taken)
        is_ours = claim_version(store, f"{name}/{number}", plan.digest, run)
        if is_ours and keeps_its_word(number, base, level, taken, numbers_taken(store, name, plan.digest)):
            return Number(number, _why(number, base, changes), changes)
    raise ConflictError(f"others took numbers of {name} {_ATTEMPTS} times in a row; build it again when fewer publish")


def numbers_taken(store: Store, name: str, digest: str) -> Taken:
    """The numbers of a dataset that have been used, and which of them by the build of this digest.

    Reads its catalog; claim and tombstone only of folders that this lacks, and tombstones of what this build published.

    Raises:
        CorruptError: what is there is no catalog.
    """
    catalog = read_catalog(store, name)
    known = {each.version: each for each in catalog.versions} if catalog else {}
    folders = sorted((v for v in store.folders(name) if is_version(v)), key=version_key)
    with ThreadPoolExecutor(_THREADS) as threads:
        new = [version for version in folders if version not in known]
        digests: dict[str, str | None] = {version: each.digest for version, each in known.items()}
        digests |= zip(new, threads.map(lambda v: _digest_of(store, f"{name}/{v}"), new), strict=True)
        doubtful = [version for version in folders if version in new or digests[version] == digest]
        has_tombstone = threads.map(lambda v: store.size_bytes(f"{name}/{v}/{layout.TOMBSTONE}") is not None, doubtful)
        deleted = {version for version, is_there in zip(doubtful, has_tombstone, strict=True) if is_there}
    deleted |= {version for version, each in known.items() if not each.is_readable}
    published = tuple(v for v in published_versions(store, name) if v not in deleted)
    claimed = {v for v, found in digests.items() if found is not None} - {*published, *deleted}
    own = {v for v, found in digests.items() if found == digest} - deleted
    return Taken(published, frozenset(own), frozenset(claimed - own), frozenset(deleted))


def _digest_of(store: Store, folder: str) -> str | None:
    """Of the build that has claimed a version, None where none has. Who left a claim that cannot be read is unknown."""
    try:
        claim = read_claim(store, folder)
    except CorruptError:
        return ""
    return str(claim.get("digest", "")) if claim else None


def _why(number: str, base: str | None, changes: Changes | None) -> str:
    if base is None or changes is None:
        return "there is no version before it"
    raised = level_between(base, number) > changes.level
    more = (
        "; the number is larger than that takes, since another build's or a deleted version's is near" if raised else ""
    )
    return f"{changes} (compared with {base}{more})"
