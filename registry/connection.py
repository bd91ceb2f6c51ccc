"""A connected registry: transactions that write, and transactions that only read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from registry.database import READS, open_engine
from registry.errors import one_line_errors, shown_url


class Connected:
    """What the parts of `Registry` share. Each of their methods is one transaction."""

    def __init__(self, url: str) -> None:
        """Opens the registry; creates and migrates its tables where needed.

        Args:
            url: `sqlite:////data/registry.db` or `postgresql+psycopg://user:password@host/name`.

        Raises:
            RegistryError: it cannot be opened or written, or newer code has migrated it.
        """
        self._engine = open_engine(url)
        self._read_engine = self._engine.execution_options(**READS[self._engine.dialect.name])
        self.url = shown_url(self._engine.url)  # without its password

    def close(self) -> None:
        """Closes the connections."""
        self._engine.dispose()

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        with self._transaction(self._engine) as session:
            yield session

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        """All that is read in it is of one moment, and waits for no writer."""
        with self._transaction(self._read_engine) as session:
            yield session

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Session]:
        with one_line_errors(self._engine.url), Session(engine) as session, session.begin():
            yield session
