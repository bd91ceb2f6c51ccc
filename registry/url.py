"""Where the registry lies."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from groupstream.refs import default_root
from groupstream.stores import is_url
from registry.errors import RegistryError, shown_url

URL_VARIABLE = "GROUPSTREAM_REGISTRY_URL"
FILE = "registry.db"
POSTGRESQL = "postgresql+psycopg"
BACKENDS = ("sqlite", "postgresql")


def default_registry_url(root: str | None = None) -> str:
    """$GROUPSTREAM_REGISTRY_URL, or a SQLite file in the root of the datasets.

    Args:
        root: where the datasets lie. Default: $GROUPSTREAM_ROOT, or ~/groupstream.

    Raises:
        RegistryError: the root is a bucket, or its path cannot stand in a URL.
    """
    return os.environ.get(URL_VARIABLE) or _url_in(root or default_root())


def has_registry(root: str) -> bool:
    """Whether a root has one: a bucket holds no database, so there $GROUPSTREAM_REGISTRY_URL has to name it."""
    return bool(os.environ.get(URL_VARIABLE)) or not is_url(root)


def parse_url(text: str) -> URL:
    """Parses the URL of a registry. Where it names no driver of PostgreSQL, it is psycopg, which the platform brings.

    Raises:
        RegistryError: not a URL, or of a database that the registry does not know.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # Without the text and the cause: where it cannot be parsed, the password in it cannot be found and hidden.
        raise RegistryError(
            "the URL of the registry cannot be parsed; write sqlite:////data/registry.db or "
            "postgresql+psycopg://user:password@host:5432/name, with special characters of the password as %XX"
        ) from None
    if url.get_backend_name() not in BACKENDS:
        raise RegistryError(
            f"registry {shown_url(url)}: {url.get_backend_name()} is not supported; "
            "write sqlite:////data/registry.db or postgresql+psycopg://user:password@host/name"
        )
    return url.set(drivername=POSTGRESQL) if url.drivername == "postgresql" else url


def _url_in(root: str) -> str:
    if "://" in root or "?" in root:
        raise RegistryError(
            f"root {root!r} cannot hold the registry, a SQLite file in a local folder without '?' in its path; "
            f"set {URL_VARIABLE}, for example to sqlite:////data/{FILE}"
        )
    return f"sqlite:///{Path(root).expanduser().absolute() / FILE}"
