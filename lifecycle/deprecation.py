"""Deprecation: a version that can still be read, with a warning that says why it should not be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from groupstream.actor import current_actor
from groupstream.catalog import CatalogVersion, DatasetCatalog
from groupstream.catalog.changes import set_deprecated
from groupstream.errors import UsageError
from lifecycle.changing import PublishedVersion, change_version

if TYPE_CHECKING:
    from registry import Registry

MAX_MESSAGE_CHARACTERS = 1_000


class StateChange(NamedTuple):
    """What the catalog said of a version before, None where it did not know it, and what it says now.

    Attributes:
        aliases: that lead to it.
    """

    before: CatalogVersion | None
    after: CatalogVersion
    aliases: list[str]


def deprecate(
    published: PublishedVersion,
    registry: Registry | None,
    message: str | None,
    *,
    dry_run: bool = False,
    by: str = "",
) -> StateChange:
    """Deprecates a version, or takes that back. A version that nobody was told of is announced with it.

    Args:
        message: what readers are told, at most 1,000 characters; None takes the deprecation back.
        dry_run: only tell what would change. Nothing is written.
        by: who does it. Default: who runs this process.

    Raises:
        UsageError: the message is empty or too long.
        ConflictError: the version is deleted.
        PublishError: the store refuses the write.
        RegistryError: the store has the change, the registry does not: do it again.
    """
    words = None if message is None else _checked(message)
    actor = by or current_actor()

    def change(catalog: DatasetCatalog) -> DatasetCatalog:
        return set_deprecated(catalog, published.version, words, datetime.now(UTC), actor)

    changed = change_version(published, registry, change, dry_run=dry_run, by=actor)
    after = changed.after.get(published.version)
    assert after is not None
    return StateChange(changed.before.get(published.version), after, changed.after.aliases_of(published.version))


def _checked(message: str) -> str:
    words = message.strip()
    if not words:
        raise UsageError("a deprecation needs a message that says what to use instead; give it with --message")
    if len(words) > MAX_MESSAGE_CHARACTERS:
        raise UsageError(
            f"a message of {len(words):,} characters is too long for who reads it in a terminal; "
            f"write at most {MAX_MESSAGE_CHARACTERS:,}"
        )
    return words
