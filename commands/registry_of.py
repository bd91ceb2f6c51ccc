"""The registry of a root, for commands that change what is published or ask about it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from registry import Registry


@contextmanager
def registry_of(root: str, dry_run: bool = False) -> Iterator[Registry | None]:
    """Opens the registry of a root before the store is changed, so that one that cannot be reached changes nothing.

    Gives None where there is none, and says so: a bucket holds no database, and $GROUPSTREAM_REGISTRY_URL names none.

    Args:
        root: that of the store.
        dry_run: give None. Opening a registry may write its tables.

    Raises:
        RegistryError: it cannot be opened or written.
    """
    from registry.url import URL_VARIABLE, has_registry

    if dry_run:
        yield None
    elif not has_registry(root):
        yield None
        typer.echo(f"note: no registry is told; {URL_VARIABLE} names none", err=True)
    else:
        with _opened(root) as registry:
            yield registry


@contextmanager
def readable_registry_of(root: str) -> Iterator[Registry | None]:
    """The same for who only asks: None, without a word, where there is none yet. Makes no file.

    Raises:
        RegistryError: it cannot be opened.
    """
    from pathlib import Path

    from registry.url import FILE, URL_VARIABLE, has_registry

    is_named = bool(os.environ.get(URL_VARIABLE))
    if not has_registry(root) or not (is_named or Path(root, FILE).is_file()):
        yield None
        return
    with _opened(root) as registry:
        yield registry


@contextmanager
def _opened(root: str) -> Iterator[Registry]:
    from registry import Registry, default_registry_url

    with closing(Registry(default_registry_url(root))) as registry:
        yield registry
