"""The registry of a root, where there is one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

from groupstream.stores import is_url
from registry import Registry, default_registry_url
from registry.url import URL_VARIABLE


@contextmanager
def known_registry(root: str) -> Iterator[Registry | None]:
    """Opens it; gives None for a bucket where $GROUPSTREAM_REGISTRY_URL names none.

    Raises:
        RegistryError: it cannot be opened or written.
    """
    if is_url(root) and not os.environ.get(URL_VARIABLE):
        yield None
        return
    with closing(Registry(default_registry_url(root))) as registry:
        yield registry
