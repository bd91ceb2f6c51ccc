r"""Numbers with units, and text that is safe to look at.

Escaping for HTML is Jinja's. What stands here is for what HTML lets through: characters that cannot be
seen, that turn the reading direction, or that HTML forbids. They are shown as escapes, such as `\u202e`.
"""

from __future__ import annotations

import re

from markupsafe import Markup, escape

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, but for tab and line feed
    "\xad\u061c\u180e\u200b\u200e\u200f\u2060-\u206f\ufeff\ufff0-\ufffb"  # invisible, or marks of direction
    "\u2028-\u202e"  # line separators and overrides of direction
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"  # no characters at all
    "\U000e0000-\U000e0fff]"  # tags: whole sentences that nobody sees
)


def format_count(count: int) -> str:
    """All digits, in threes.

    >>> format_count(1234567)
    '1,234,567'
    """
    return f"{count:,}"


def format_number_of(count: int, noun: str) -> str:
    """A count of something.

    >>> format_number_of(1, "group"), format_number_of(1000, "group")
    ('1 group', '1,000 groups')
    """
    return f"{format_count(count)} {noun}{'' if count == 1 else 's'}"


def format_short_count(count: int) -> str:
    """All digits up to ten million, then rounded.

    >>> format_short_count(9_999_999), format_short_count(12_345_678_901)
    ('9,999,999', '12.3 billion')
    """
    if count < 10_000_000:
        return format_count(count)
    unit, name = (10**9, "billion") if count >= 999_950_000 else (10**6, "million")
    return f"{count / unit:,.1f} {name}"


def format_compact(count: int) -> str:
    """All digits up to a million, then three of them; for narrow columns.

    >>> format_compact(999_999), format_compact(46_385_000), format_compact(1_234_567_890)
    ('999,999', '46.4M', '1.23B')
    """
    if count < 10**6:
        return format_count(count)
    unit, name = (10**9, "B") if count >= 999_500_000 else (10**6, "M")
    return f"{_three_digits(count / unit)}{name}"


def format_compact_bytes(num_bytes: float) -> str:
    """As `format_bytes`, with three digits.

    >>> format_compact_bytes(191_900), format_compact_bytes(1_234_567), format_compact_bytes(999_600)
    ('192 kB', '1.23 MB', '1.00 MB')
    """
    if num_bytes < 999.5:
        return f"{num_bytes:.0f} B"
    value, unit = num_bytes / 1000, 1
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{_three_digits(value)} {_UNITS[unit]}"


def _three_digits(value: float) -> str:
    """Of 1 to 999; all digits of more."""
    return f"{value:,.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"


def format_bytes(num_bytes: float) -> str:
    """In decimal units: 1 kB is 1,000 bytes.

    >>> format_bytes(999), format_bytes(1_234_567), format_bytes(999_999)
    ('999 B', '1.2 MB', '1.0 MB')
    """
    if num_bytes < 1000:
        return f"{num_bytes:.0f} B"
    value, unit = num_bytes / 1000, 1
    while round(value, 1) >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:,.1f} {_UNITS[unit]}"


def format_share(part: int, whole: int) -> str:
    """As a percentage; what is too small to show is not shown as nothing, nor nearly all as all.

    >>> format_share(1, 8), format_share(1, 100_000), format_share(99_999, 100_000), format_share(0, 0)
    ('12.5 %', '< 0.1 %', '> 99.9 %', '0 %')
    """
    if not part:
        return "0 %"
    percent = 100 * part / whole
    if part < whole and percent >= 99.95:
        return "> 99.9 %"
    return f"{percent:.1f} %" if percent >= 0.05 else "< 0.1 %"


def visible(text: str | bytes) -> str:
    r"""The text with every hidden character shown as an escape. Tabs and line ends stay.

    >>> visible(b"caf\xc3\xa9 \xff\x00")
    'café \\xff\\x00'
    """
    if isinstance(text, bytes):
        text = text.decode(errors="backslashreplace")
    return _HIDDEN.sub(_escape, text.replace("\r\n", "\n"))


def visible_line(text: str | bytes, max_length: int = 200) -> str:
    r"""Like `visible`, and on one line: line ends and tabs are escapes too. Names and ids are shown so.

    >>> visible_line(b"a\nb"), visible_line(b"")
    ('a\\nb', '(empty)')
    """
    most = (max_length + 1) * (4 if isinstance(text, bytes) else 2)  # of which more characters come than that
    line = visible(text[:most]).replace("\n", "\\n").replace("\t", "\\t")
    if not line:
        return "(empty)"
    return line if len(line) <= max_length and len(text) <= most else line[:max_length] + "…"


def shorten(text: str | bytes, max_length: int = 600) -> str:
    """The beginning of a text, and how much is left out.

    >>> shorten("abcdef", 4)
    'abcd … 2 more characters'
    """
    kept, rest = text[:max_length], len(text) - max_length
    unit = "bytes" if isinstance(text, bytes) else "characters"
    return visible(kept) + (f" … {format_count(rest)} more {unit}" if rest > 0 else "")


def code_spans(text: str, max_length: int = 1000) -> Markup:
    """A sentence in which what stands between backticks is code.

    >>> code_spans("One group for each value of `a<b`.")
    Markup('One group for each value of <code>a&lt;b</code>.')
    """
    parts = visible_line(text, max_length).split("`")
    return Markup("").join(Markup(f"<code>{escape(p)}</code>") if i % 2 else escape(p) for i, p in enumerate(parts))


def finalize(value: object) -> object:
    """What Jinja does to each value before it escapes it: no hidden character reaches the page."""
    if isinstance(value, Markup) or not isinstance(value, str | bytes):
        return value
    return visible(value)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    named = {8: "\\b", 12: "\\f", 13: "\\r"}.get(code)
    return named or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
