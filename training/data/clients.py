"""The clients of a round as arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class PackedCohort(NamedTuple):
    """The clients of one round, on this machine, ready for a device.

    Attributes:
        batches: each array [cohort, steps, batch, ...]; `mask` says which targets count. Which arrays there are is
            up to the model: `tokens` int32[cohort, steps, batch, sequence + 1] and `mask` bool[cohort, steps, batch,
            sequence] for text; `image` uint8[cohort, steps, batch, height, width, channels] (or `features`
            float32[cohort, steps, batch, num_features]), `label` int32[cohort, steps, batch] and `mask` bool[cohort,
            steps, batch] else. A step whose mask is all False is padding, and a client does nothing in it.
        num_targets: int64[cohort], how many targets of each client count.
        group_ids: of the clients, in this order. Fewer than the cohort where the last one of an epoch is smaller; the
            rest of the arrays is padding then, with 0 targets.
    """

    batches: dict[str, np.ndarray]
    num_targets: np.ndarray
    group_ids: list[bytes]
