"""What may be recorded in the registry, and asked of it."""

from __future__ import annotations

from typing import final

from registry.catalogs import Catalogs
from registry.lineage import Uses
from registry.runs import Runs
from registry.versions import Versions


@final
class Registry(Runs, Versions, Catalogs, Uses):
    """The registry at a URL. Every method is one transaction, and doing it again after a failure is safe.

    What fails for a passing reason (a deadlock, a lost connection) is tried again inside, for up to a minute. Threads
    may share one; a process opens its own. A dataset is known by the root of its store and its name.
    """
