"""What a benchmark found, as JSON: figures and ratios of every turn, what they must keep to, and where that was.

`results/<name>.json` stands beside `results/<name>.md`, with the same figures. `keep` writes both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, computed_field

from benchmarks.machine import Machine, command_line, this_machine, today, versions_of

Better = Literal["lower", "higher"]


class _Value(BaseModel):
    """A value without behaviour of its own."""

    model_config = ConfigDict(frozen=True, extra="ignore")  # what is computed is written, and not read


class _Measured(_Value):
    """A number in each turn, and the limit that its median must keep to, if it must.

    Attributes:
        values: of each turn, in their order; one where it was measured once.
        limit: at most that where lower is better, at least that where higher is; None promises nothing.
        at: how many examples there were, where that is what varies; a plot draws the number over it.
    """

    values: tuple[float, ...]
    limit: float | None = None
    better: Better = "lower"
    at: float | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def median(self) -> float:
        """Of the turns."""
        return median(self.values)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def is_kept(self) -> bool | None:
        """Whether the limit is; None where there is none."""
        if self.limit is None:
            return None
        return self.median <= self.limit if self.better == "lower" else self.median >= self.limit


class Case(_Measured):
    """A figure of a case, such as its seconds."""

    case: str
    figure: str = "time"
    unit: str = "s"


class Ratio(_Measured):
    """A figure of a case over that of a peer, in the same turn."""

    case: str
    peer: str
    figure: str = "time"

    @property
    def name(self) -> str:
        """Such as `stored / raw, time`; one result has it once."""
        return f"{self.case} / {self.peer}, {self.figure}" + ("" if self.at is None else f" at {self.at:,.0f}")


class NotMeasured(_Value):
    """A case, a peer, or more, that has no figures, and why."""

    what: str
    why: str


class Result(_Value):
    """What one benchmark found.

    Attributes:
        name: its module below `benchmarks`, such as `reader.iterate`.
        about: the text of its module, in Markdown.
        command: what was called, with FOLDER for a path.
        date: of the day it ended, in UTC.
        versions: of Python and of libraries.
        details: what else it keeps, in a form of its own.
    """

    name: str
    about: str
    command: str
    date: str
    machine: Machine
    versions: dict[str, str]
    cases: tuple[Case, ...]
    ratios: tuple[Ratio, ...] = ()
    not_measured: tuple[NotMeasured, ...] = ()
    details: dict[str, Any] = {}


def result_of(
    name: str,
    about: str | None,
    libraries: Mapping[str, str] | Sequence[str],
    cases: Iterable[Case],
    ratios: Iterable[Ratio] = (),
    not_measured: Iterable[NotMeasured] = (),
    *,
    device: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> Result:
    """What was found here, today, by the program that runs.

    Args:
        libraries: their names, or their versions where another process has them.
        device: that computes, where it is not the processor.
    """
    return Result(
        name=name,
        about=(about or "").strip(),
        command=command_line(),
        date=today(),
        machine=this_machine(device),
        versions=versions_of(libraries),
        cases=tuple(cases),
        ratios=tuple(ratios),
        not_measured=tuple(not_measured),
        details=dict(details or {}),
    )


def ratio_of(case: str, peer: str, ours: Sequence[float], theirs: Sequence[float], **more: Any) -> Ratio:
    """Turn by turn. What was measured once is compared with every turn of the other.

    Raises:
        ValueError: the turns are not those of each other.
    """
    turns = max(len(ours), len(theirs))
    ours, theirs = (list(values) * turns if len(values) == 1 else values for values in (ours, theirs))
    return Ratio(case=case, peer=peer, values=tuple(a / b for a, b in zip(ours, theirs, strict=True)), **more)


def keep(result: Result, lines: Sequence[str], folder: Path | None) -> None:
    """Prints the lines, and writes them and the result as `<name>.md` and `<name>.json`; None keeps nothing."""
    text = "\n".join(lines) + "\n"
    print(text, flush=True)
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    stem = result.name.rpartition(".")[2]
    (folder / f"{stem}.md").write_text(text, encoding="utf-8")
    (folder / f"{stem}.json").write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> Result:
    """Reads what `keep` wrote."""
    return Result.model_validate_json(path.read_bytes())
