"""What the checks of examples found, as results of the build."""

from __future__ import annotations

from validation import Checks


def tolerance_in_words(checks: Checks, num_examples: int) -> str:
    """How many examples may break a check.

    >>> [tolerance_in_words(c, 7_488) for c in (Checks(), Checks(max_rejected=10), Checks(max_rejected_share=0.001))]
    ['none', 'at most 10', 'at most 0.1 % (7)']
    """
    tolerated = checks.num_tolerated(num_examples)
    if checks.max_rejected_share is not None:
        return f"at most {checks.max_rejected_share * 100:g} % ({tolerated:,})"
    return f"at most {tolerated:,}" if tolerated else "none"
