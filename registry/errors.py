"""The one error of the registry, and how errors of the database become it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError, StatementError

from groupstream.errors import GroupstreamError

MASK = "***"
PASSWORD_PARAMETERS = ("password", "sslpassword")  # PostgreSQL takes passwords after the question mark too


class RegistryError(GroupstreamError):
    """The registry cannot be used, or refuses what was to be recorded."""


@contextmanager
def one_line_errors(url: URL) -> Iterator[None]:
    """Turns errors of the database and of its folder into a RegistryError that shows no password."""
    try:
        yield
    except (SQLAlchemyError, OSError, ImportError, OverflowError) as error:
        said = _first_cause(error)
        cause = _hide_passwords(said, url)
        shown = error if said == cause else None  # a traceback shows the cause as the driver put it
        raise RegistryError(f"registry {shown_url(url)} cannot be used: {cause}. {_way_out(error)}") from shown


def shown_url(url: URL) -> str:
    """The URL as it may be printed."""
    return url.difference_update_query(PASSWORD_PARAMETERS).render_as_string(hide_password=True)


def _way_out(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError):
        name = "'psycopg[binary]'" if error.name == "psycopg" else error.name
        return f"Install the driver of the database: pip install {name}"
    return (
        "Set GROUPSTREAM_REGISTRY_URL to a database that can be written, such as sqlite:////data/registry.db or "
        "postgresql+psycopg://user:password@host/groupstream"
    )


def _first_cause(error: BaseException) -> str:
    """What the driver said, without the statement and its parameters, in one line."""
    if isinstance(error, StatementError) and error.orig is not None:
        error = error.orig
    return " ".join(str(error).split()).rstrip(".")


def _hide_passwords(text: str, url: URL) -> str:
    """Drivers may quote what they were given."""
    for password in (url.password, *map(url.query.get, PASSWORD_PARAMETERS)):
        if isinstance(password, str) and password:
            text = text.replace(password, MASK)
    return text
