"""Numbers as the catalog shows them."""

from __future__ import annotations

from groupstream.commands.printing import visible

_UNITS = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"))


def short_count(count: int) -> str:
    """All digits up to ten million, then rounded.

    >>> short_count(9_999_999), short_count(12_345_678_901)
    ('9,999,999', '12.3 billion')
    """
    if count < 10_000_000:
        return f"{count:,}"
    size, unit = next((size, unit) for size, unit in _UNITS if count >= size)
    return f"{count / size:,.1f} {unit}"


def shown(text: str, max_length: int = 200) -> str:
    r"""Any text on one line, with its hidden characters as escapes, and cut where it is long.

    >>> shown("a\u202eb\n", 3)
    'a\\u…'
    """
    line = text if text.isprintable() else visible(text).replace("\n", " ")
    return line if len(line) <= max_length else f"{line[:max_length]}…"
