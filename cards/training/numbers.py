"""Numbers of a report, in words. What is not a finite number is shown as such."""

from __future__ import annotations

import math


def format_value(value: float | None) -> str:
    """About three digits.

    >>> [format_value(v) for v in (2.914, 0.41234, 0.00012, 12345.6, 0.0, float("nan"), None)]
    ['2.91', '0.412', '1.2e-04', '12,346', '0', 'NaN', 'none']
    """
    if value is None:
        return "none"
    size = abs(value)
    if not math.isfinite(value):
        return "NaN"
    if not size:
        return "0"
    if size < 1e-3 or size >= 1e6:
        return f"{value:.1e}"
    return f"{value:,.{0 if size >= 1000 else 2 if size >= 1 else 3}f}"


def format_percent(share: float | None) -> str:
    """A share as a percentage; what is nearly nothing or nearly all is not shown as that.

    >>> [format_percent(v) for v in (0.934, 1.0, 0.99999, 0.00001, 0.0, float("nan"), None)]
    ['93.4 %', '100 %', '> 99.9 %', '< 0.1 %', '0 %', 'NaN', 'none']
    """
    if share is None:
        return "none"
    if not math.isfinite(share):
        return "NaN"
    if share in (0, 1):
        return f"{100 * share:.0f} %"
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return "> 99.9 %" if 0.9995 <= share < 1 else f"{100 * share:.1f} %"


def format_rate(rate: float | None) -> str:
    """A learning rate.

    >>> format_rate(0.1), format_rate(3.16227766e-05), format_rate(None)
    ('0.1', '3.16e-05', 'none')
    """
    return "none" if rate is None else f"{rate:.3g}" if math.isfinite(rate) else "NaN"


def format_duration(seconds: float) -> str:
    """In the two largest units.

    >>> [format_duration(s) for s in (0.0123, 9.87, 75, 7260, 200000)]
    ['0.012 s', '9.9 s', '1 min 15 s', '2 h 1 min', '2 d 7 h']
    """
    if not math.isfinite(seconds):
        return "NaN"
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 1 else f"{seconds:.1f} s"
    whole = round(seconds)
    for length, name, part_length, part in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= length:
            return f"{whole // length} {name} {whole % length // part_length} {part}"
    raise AssertionError(seconds)


def format_two(first: float, second: float) -> tuple[str, str]:
    """Two numbers with as many digits as tell them apart, from two to four after the point; two where none do.

    >>> format_two(2.91, 3.02), format_two(2.9112, 2.9134), format_two(2.5, float("nan")), format_two(2.5, 2.5)
    (('2.91', '3.02'), ('2.911', '2.913'), ('2.50', 'NaN'), ('2.50', '2.50'))
    """
    for digits in (2, 3, 4, 2):
        shown = [f"{value:.{digits}f}" if math.isfinite(value) else "NaN" for value in (first, second)]
        if shown[0] != shown[1]:
            break
    return shown[0], shown[1]
