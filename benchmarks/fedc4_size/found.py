"""What one case found: seconds by what took them, bytes by what takes them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Found:
    """Figures of one process.

    Attributes:
        seconds: by what took them.
        processor_seconds: of these, on all cores together; what else the machine does adds nothing to them.
        bytes: by what is so large.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    processor_seconds: dict[str, float] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def timed(self, what: str, times: int = 1) -> Iterator[None]:
        """Times a block, which does the same so many times."""
        start, processor_start = time.perf_counter(), time.process_time()
        yield
        self.seconds[what] = (time.perf_counter() - start) / times
        self.processor_seconds[what] = (time.process_time() - processor_start) / times
