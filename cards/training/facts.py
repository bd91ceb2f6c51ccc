"""What stands in the header of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Protocol = Literal["held_out", "paper"]

PROTOCOL_WORDS: Mapping[Protocol, str] = {
    "held_out": "fine-tuned and tested on different examples",
    "paper": "fine-tuned and tested on the same examples",
}


@dataclass(frozen=True)
class TrainingFacts:
    """What is known of a run beside its tables.

    Attributes:
        dataset: ref of the version that it trained on.
        model: what it trained, in words.
        num_parameters: of the model.
        num_rounds: of each algorithm and seed.
        cohort_size: clients of a round.
        num_local_steps: at most, of a client in a round.
        batch_size: examples of a step.
        seeds: of the run; all algorithms have the same.
        device: what it ran on, in words.
        protocol: `held_out`: a group is fine-tuned on some of its examples and tested on others. `paper`: both on the
            same ones, as the paper measures it; this stands on each picture of the evaluation.
        num_targets_seen: by algorithm, of all seeds together.
        wall_seconds: of the whole run.
        peak_memory_bytes: on the device; None where it does not tell.
        model_flop_utilization: from 0 to 1: the operations that the model needs, over those that the device could have
            done in that time; None where that is not known.
        counts: how often something was done to what was trained on, by its reason.
        settings: all of them, as YAML.
        groupstream_version: that wrote it.
        notes: sentences that a reader has to know.
    """

    dataset: str
    model: str
    num_parameters: int
    num_rounds: int
    cohort_size: int
    num_local_steps: int
    batch_size: int
    seeds: Sequence[int]
    device: str
    protocol: Protocol
    num_targets_seen: Mapping[str, int]
    wall_seconds: float
    peak_memory_bytes: int | None
    model_flop_utilization: float | None
    counts: Mapping[str, int]
    settings: str
    groupstream_version: str
    notes: Sequence[str] = ()

    @property
    def protocol_words(self) -> str:
        """What the numbers after fine-tuning are of."""
        return PROTOCOL_WORDS[self.protocol]
