"""The losses of groups as pictures take them: those of all seeds together, on one scale for all algorithms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from cards.text import format_count, format_number_of
from cards.training.inks import Stroke
from cards.training.numbers import format_value
from cards.training.reported import Reported
from groupstream.label_skew import Floats

_INNER_PERCENT = 99.8  # of the losses are within the scale

Scale = tuple[float, float]


@dataclass(frozen=True)
class Losses:
    """The losses of an algorithm's groups; what is not finite is NaN.

    Attributes:
        before: float64[num_groups].
        after: float64[num_groups], of the same groups.
        scale: the least and the greatest that is drawn; what is beyond is drawn there.
        stroke: how the algorithm is drawn.
        protocol: what the numbers after fine-tuning are of; it stands on the picture.
    """

    before: Floats
    after: Floats
    scale: Scale
    stroke: Stroke
    protocol: str

    @property
    def is_finite(self) -> npt.NDArray[np.bool_]:
        """bool[num_groups]: both are numbers."""
        return np.isfinite(self.before) & np.isfinite(self.after)

    @property
    def described(self) -> str:
        """What is seen, in words."""
        was, now = (median_words(values[np.isfinite(values)]) for values in (self.before, self.after))
        groups = format_number_of(len(self.before), "group")
        return f"{self.stroke.name}, {self.protocol}: median {was} before, {now} after, {groups}"

    def caption(self, where: str) -> str:
        """What of them is not where it belongs, or not to be seen.

        Args:
            where: it stands if it is beyond the scale.
        """
        values = np.concatenate([self.before, self.after])
        beyond = int(((values < self.scale[0]) | (values > self.scale[1])).sum())
        missing = int((~self.is_finite).sum())
        words = [f"{format_count(beyond)} beyond the scale: {where}."] * (beyond > 0)
        words += [f"NaN before, after or both, and not drawn: {format_number_of(missing, 'group')}."] * (missing > 0)
        return " ".join(words)


def losses_of(reported: Sequence[Reported], strokes: dict[str, Stroke], protocol: str) -> list[Losses]:
    """Of each algorithm that has groups with targets; none where no loss of any is finite."""
    found = {}
    for algorithm, seeds in groupby(reported, key=lambda one: one.algorithm):
        every = [(one.before["loss"], one.after["loss"]) for one in seeds]
        before, after = map(np.concatenate, zip(*every, strict=True))
        if len(before):
            found[algorithm] = before, after
    scale = loss_scale([values for both in found.values() for values in both])
    return [Losses(*both, scale, strokes[name], protocol) for name, both in found.items()] if scale else []


def loss_scale(losses: Sequence[Floats]) -> Scale | None:
    """The least and the greatest loss that is drawn; None where no loss is finite.

    One loss in a thousand may be beyond each end.
    """
    every = np.concatenate([v[np.isfinite(v)] for v in losses]) if losses else np.empty(0)
    if not len(every):
        return None
    rest = (100 - _INNER_PERCENT) / 2
    low, high = np.percentile(every, [rest, 100 - rest]).tolist()
    pad = max(0.03 * (high - low), 0.01 * abs(high), 1e-6)
    return (max(0.0, low - pad) if low >= 0 else low - pad), high + pad


def median_words(values: Floats) -> str:
    """The median, or that there is none."""
    return format_value(float(np.median(values)) if len(values) else None)
