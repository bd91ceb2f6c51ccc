"""What a report says of the run as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cards.room import Fitting
from cards.split_part import Figure
from cards.text import format_bytes, format_compact, format_count, format_number_of, visible_line
from cards.training.facts import TrainingFacts
from cards.training.numbers import format_duration, format_percent

MAX_COUNTS = 100


def big_figures(facts: TrainingFacts) -> list[Figure]:
    """What a reader asks first."""
    found = [
        Figure(format_compact(facts.num_parameters), "parameters", facts.model),
        Figure(format_count(facts.num_rounds), "rounds", f"of {format_number_of(facts.cohort_size, 'client')} each"),
        Figure(format_count(facts.num_local_steps), "local steps", _batch_words(facts.batch_size)),
        Figure(format_count(len(facts.seeds)), "seed" if len(facts.seeds) == 1 else "seeds", _seed_words(facts.seeds)),
        Figure(format_duration(facts.wall_seconds), "altogether", facts.device),
    ]
    if facts.peak_memory_bytes is not None:
        found.append(Figure(format_bytes(facts.peak_memory_bytes), "memory", "at its peak, on the device"))
    if facts.model_flop_utilization is not None:
        found.append(Figure(format_percent(facts.model_flop_utilization), "utilization", "model FLOP of what it can"))
    return [Figure(visible_line(f.value), f.name, visible_line(f.note)) for f in found]


def _batch_words(batch_size: int) -> str:
    return f"at most, of {format_number_of(batch_size, 'example')} each"


def _seed_words(seeds: Sequence[int]) -> str:
    shown = ", ".join(map(str, seeds[:6]))
    return shown if len(seeds) <= 6 else f"{shown}, …"


def target_rows(facts: TrainingFacts) -> list[tuple[str, str]]:
    """How many targets each algorithm saw."""
    return [(visible_line(name, 60), format_count(count)) for name, count in facts.num_targets_seen.items()]


def count_rows(counts: Mapping[str, int]) -> Fitting:
    """The reasons with the highest counts, those first; also those of 0, as they say that something did not happen."""
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    shown = [(visible_line(reason), format_count(count)) for reason, count in ordered[:MAX_COUNTS]]
    return Fitting(shown, len(ordered) - len(shown))
