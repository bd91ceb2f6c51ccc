"""The registry of a root, where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from registry import Registry, default_registry_url
from registry.url import has_registry


@contextmanager
def known_registry(root: str) -> Iterator[Registry | None]:
    """Opens it; gives None for a bucket where $GROUPSTREAM_REGISTRY_URL names none.

    Raises:
        RegistryError: it cannot be opened or written.
    """
    if not has_registry(root):
        yield None
        return
    with closing(Registry(default_registry_url(root))) as registry:
        yield registry
