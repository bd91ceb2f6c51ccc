"""All cases at all sizes: made, measured in processes of their own, in turns."""

from __future__ import annotations

import random
import sys
from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.fedc4_size.cases import AXES, Axis
from benchmarks.formats.runs import AGAIN_SECONDS
from benchmarks.pipeline.memory import watch

SHARES = (1 / 16, 1 / 4, 1)
_LEAST = 16


class Figure(NamedTuple):
    """What is measured at each size of an axis.

    Attributes:
        name: of what takes it.
        kind: "time" or "processor time", in seconds; "size" or "memory", in bytes.
    """

    counted: str
    name: str
    kind: str


@dataclass
class Measured:
    """The values of every turn, by figure and size."""

    values: dict[Figure, dict[int, list[float]]] = field(default_factory=dict)

    def add(self, figure: Figure, count: int, value: float) -> None:
        """Of one turn."""
        self.values.setdefault(figure, {}).setdefault(count, []).append(value)


def measure(folder: Path, part: float, turns: int, names: Container[str]) -> Measured:
    """Measures the cases with these names.

    Args:
        folder: where what is made lies.
        part: of the size of FedC4, that the largest has.
        turns: of each case; what takes a minute is run once.
    """
    measured = Measured()
    for axis in AXES:
        chosen = [name for name in axis.cases if name in names]
        for count in counts_of(axis, part) if chosen else ():
            print(f"making {count:,} {axis.counted}", file=sys.stderr)
            made = axis.make(folder, count)
            slow: set[str] = set()
            for turn in range(turns):
                for name in random.Random(turn).sample(chosen, len(chosen)):
                    if name not in slow and _run(measured, axis, name, made, count) >= AGAIN_SECONDS:
                        slow.add(name)
    return measured


def counts_of(axis: Axis, part: float) -> list[int]:
    """The sizes of an axis, ascending."""
    return sorted({max(_LEAST, int(axis.whole * part * share)) for share in SHARES})


def _run(measured: Measured, axis: Axis, name: str, made: Path, count: int) -> float:
    """The seconds of its process."""
    used = watch([sys.executable, "-m", "benchmarks.fedc4_size.cases", name, str(made)])
    print(f"{count:,} {axis.counted}: {name}: {used.seconds:.1f} s", file=sys.stderr)
    told: dict[str, Any] = dict(used.found)
    measured.add(Figure(axis.counted, name, "memory"), count, told["peak_bytes"])
    for kind, key in (("time", "seconds"), ("processor time", "processor_seconds"), ("size", "bytes")):
        for what, value in told[key].items():
            measured.add(Figure(axis.counted, what, kind), count, value)
    return used.seconds
