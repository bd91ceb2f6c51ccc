"""Which errors of a database pass, and tries again what they hit.

Every method of the registry is one transaction that may be applied twice, so it is tried again as a whole, even where
the answer to its commit was lost.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, OperationalError
from tenacity import retry, retry_if_exception, stop_after_attempt, stop_after_delay, wait_random_exponential

from registry.errors import RegistryError

MAX_ATTEMPTS = 10
MAX_SECONDS = 60

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_PASSING_CLASSES = ("08",)  # the connection was lost
_PASSING_STATES = {
    "40001",  # could not serialise
    "40P01",  # deadlock
    "53300",  # too many connections
    "57P01",  # an administrator ended the connection
    "57P02",  # so did a crash of another one
    "57P03",  # the server starts, and takes no connections yet
}
_PASSING_CODES = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_BEFORE_A_SESSION = ("too many clients", "remaining connection slots", "starting up", "shutting down")


def is_passing(error: BaseException) -> bool:
    """Whether what failed may succeed when it is done again."""
    cause = _error_of_database(error)
    if cause is None:
        return False
    if isinstance(cause.orig, sqlite3.Error):
        code = getattr(cause.orig, "sqlite_errorcode", 0)  # Python's own errors have none
        return code & 0xFF in _PASSING_CODES  # the upper bits are details
    state = getattr(cause.orig, "sqlstate", None)
    if state is None:  # no session: the driver then has the server's words only
        return cause.connection_invalidated or any(words in str(cause.orig) for words in _BEFORE_A_SESSION)
    return state in _PASSING_STATES or state.startswith(_PASSING_CLASSES)


def is_passing_once_connected(error: BaseException) -> bool:
    """As `is_passing`, for a registry that was opened before: then a refused connection is a server that restarts."""
    cause = _error_of_database(error)
    no_session = isinstance(cause, OperationalError) and getattr(cause.orig, "sqlstate", "") is None
    return no_session or is_passing(error)


def _error_of_database(error: BaseException) -> DBAPIError | None:
    """What a RegistryError was made of, even where it hides it since it quotes a password."""
    cause = error.__context__ if isinstance(error, RegistryError) else error
    return cause if isinstance(cause, DBAPIError) else None


_WAIT = wait_random_exponential(multiplier=0.05, max=5)  # seconds
_STOP = stop_after_attempt(MAX_ATTEMPTS) | stop_after_delay(MAX_SECONDS)

retried = retry(retry=retry_if_exception(is_passing_once_connected), wait=_WAIT, stop=_STOP, reraise=True)
retried_opening = retry(retry=retry_if_exception(is_passing), wait=_WAIT, stop=_STOP, reraise=True)
