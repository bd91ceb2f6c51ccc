"""Numbers as tables show them."""

from __future__ import annotations

import math


def three_digits(number: float) -> str:
    """Three digits or more, no exponent.

    >>> [three_digits(number) for number in (0, 0.000124, 0.5, 12.34, 1234567)]
    ['0', '0.000124', '0.500', '12.3', '1,234,567']
    """
    if number == 0:
        return "0"
    return f"{number:,.{max(0, 2 - math.floor(math.log10(abs(number))))}f}"
