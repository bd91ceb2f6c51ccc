"""Compares a store with itself and with the registry, and mends what can be mended without loss.

It may run at any time, beside builds and readers, and be killed at any time: all that it does is what those do who
find their own work half done, and doing it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from groupstream import CorruptError, PublishError, StoreError, UsageError
from groupstream.actor import current_actor
from groupstream.catalog import dataset_names
from groupstream.layout import is_name
from groupstream.stores import HttpStore, Store
from lifecycle.findings import Finding, Problem, settle
from lifecycle.registry_problems import pull_problems, registry_problems, run_problems
from lifecycle.store_problems import dataset_problems, root_problems

if TYPE_CHECKING:
    from registry import Registry


def examine(
    store: Store, registry: Registry | None, *, mend: bool = True, by: str = "", now: datetime | None = None
) -> list[Finding]:
    """Looks at everything under a root. An empty registry is filled from the store.

    Costs a listing of all folders, three small files for each dataset, and the manifest of each version.

    Args:
        mend: whether to mend; else nothing is written.
        by: who does it. Default: who runs this process.
        now: with a time zone.

    Returns:
        What was found, in the order in which it was looked for.

    Raises:
        UsageError: the root is a web server, which neither lists nor takes anything.
        StoreError: the root cannot be reached, or does not allow it.
        RegistryError: the registry cannot be asked.
    """
    if isinstance(store, HttpStore):
        raise UsageError(f"{store.root} is a web server, which is only read; give the bucket or the folder behind it")
    problems = _problems(store, registry, by or current_actor(), now or datetime.now(UTC))
    return [settle(problem, mend=mend) for problem in problems]


def _problems(store: Store, registry: Registry | None, by: str, now: datetime) -> Iterator[Problem]:
    names = dataset_names(store)
    for name in names:
        yield from _told(dataset_problems(store, registry, name, by), name)
    yield from root_problems(store)
    if registry is None:
        return
    recorded = {dataset.name for dataset in registry.datasets(store.root)}
    for name in sorted({*names, *filter(is_name, recorded)}):
        yield from _told(registry_problems(store, registry, name, now), name)
    yield from pull_problems(store, registry)
    yield from run_problems(store, registry, now)


def _told(problems: Iterator[Problem], name: str) -> Iterator[Problem]:
    """The same; what keeps it from looking on is a problem too, and the next dataset comes."""
    try:
        yield from problems
    except (CorruptError, StoreError, PublishError) as error:
        yield Problem("unreadable", name, str(error), "mend it as it says, and run the doctor again")
