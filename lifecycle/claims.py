"""What claim.json of a version says to those who come after its build."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from groupstream import CorruptError
from groupstream.commit import read_claim
from groupstream.layout import is_alias
from groupstream.stores import Store


@dataclass(frozen=True)
class Claim:
    """Which build writes a version, or wrote it, as far as that is known.

    Attributes:
        aliases: that the version shall have, if they can be aliases.
    """

    digest: str = ""
    run: str | None = None
    created_at: datetime | None = None
    aliases: tuple[str, ...] = ()


def claim_of(store: Store, folder: str) -> Claim:
    """What the claim in a folder says; nothing where it is none, or cannot be understood."""
    try:
        fields = read_claim(store, folder)
    except CorruptError:
        return Claim()
    digest, run, aliases = (fields.get(key) for key in ("digest", "run", "aliases"))
    named = aliases if isinstance(aliases, list) else []
    return Claim(
        digest=digest if isinstance(digest, str) else "",
        run=run if isinstance(run, str) else None,
        created_at=moment_of(fields.get("created_at")),
        aliases=tuple(alias for alias in named if isinstance(alias, str) and is_alias(alias)),
    )


def moment_of(text: object) -> datetime | None:
    """A moment as ISO 8601 with a time zone, in UTC; None where it is none.

    >>> moment_of("2026-01-01T12:00:00+01:00")
    datetime.datetime(2026, 1, 1, 11, 0, tzinfo=datetime.timezone.utc)
    """
    try:
        moment = datetime.fromisoformat(str(text))
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
