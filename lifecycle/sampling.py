"""Which versions are read again today: another few each day, and all of them in turn."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date

from groupstream.catalog import dataset_names
from groupstream.refs import published_versions
from groupstream.stores import Store


def published_refs(store: Store) -> list[str]:
    """All versions of a store that can be opened, as `name@version`.

    Raises:
        StoreError: the store cannot be reached, or does not allow it.
    """
    return [f"{name}@{version}" for name in dataset_names(store) for version in published_versions(store, name)]


def due_refs(refs: Sequence[str], day: date, count: int) -> list[str]:
    """The versions that are due on a day. As long as none comes or goes, each is due once in len(refs) / count days.

    Their order is drawn by a hash of the ref, so the versions of a dataset do not stand together.

    >>> due_refs(["a@1.0.0", "b@1.0.0", "c@1.0.0"], date(2026, 1, 1), 1)
    ['c@1.0.0']
    >>> due_refs(["a@1.0.0", "b@1.0.0", "c@1.0.0"], date(2026, 1, 2), 1)
    ['a@1.0.0']
    """
    drawn = sorted(refs, key=lambda ref: hashlib.sha256(ref.encode()).digest())
    count = min(count, len(drawn))
    start = day.toordinal() * count
    return [drawn[(start + i) % len(drawn)] for i in range(count)]
