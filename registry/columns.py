"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Enum, String, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

STATE_LENGTH = 16

JSON_TYPE = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class UtcDateTime(TypeDecorator[datetime]):
    """A moment. SQLite has no time zones, so the moment is stored in UTC and read back as UTC on both."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuses a moment without a time zone: it would be another moment on another machine."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no time zone; pass a time such as datetime.now(UTC)")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Gives the moment in UTC."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class StoredString(TypeDecorator[str]):
    """Text up to a length, written so that every database takes it, in what is stored and in what is asked."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """See `storable`."""
        return None if value is None else str(storable(value))


class StoredText(TypeDecorator[str]):
    """Text of any length, written so that every database takes it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """See `storable`."""
        return None if value is None else str(storable(value))


def state_type(states: type[StrEnum]) -> Enum:
    """The value of a state as text. No check constraint: a new state needs no migration."""
    return Enum(
        states,
        native_enum=False,
        create_constraint=False,
        length=STATE_LENGTH,
        values_callable=lambda enum: [member.value for member in enum],
    )


def storable(value: Any) -> Any:
    r"""The value in text that every database takes: a NUL and a half of a surrogate pair are written out.

    >>> storable({"offenders": ["a\x00b"]})
    {'offenders': ['a\\x00b']}
    """
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
    if isinstance(value, Mapping):
        return {storable(key): storable(item) for key, item in value.items()}
    return [storable(item) for item in value] if isinstance(value, list | tuple) else value
