"""How a partitioner says in a sentence what it does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_MAX_CHARACTERS = 80
_MAX_NAMES = 10


def quoted(name: str) -> str:
    """A name of the spec between backticks, shortened.

    >>> quoted("url"), len(quoted("x" * 999))
    ('`url`', 83)
    """
    return f"`{name if len(name) <= _MAX_CHARACTERS else name[:_MAX_CHARACTERS] + '…'}`"


def listed(names: Iterable[str]) -> str:
    """Names as people list them.

    >>> listed(["a"]), listed(["a", "b", "c"]), listed("abcdefghijklm")[-22:]
    ('`a`', '`a`, `b` and `c`', '`j` and 3 more of them')
    """
    found = list(names)
    shown, rest = [quoted(name) for name in found[:_MAX_NAMES]], len(found) - _MAX_NAMES
    if rest > 0:
        shown.append(f"{rest:,} more of them")
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "group"), counted(2_000, "group")
    ('1 group', '2,000 groups')
    """
    return f"{number:,} {noun}{'s' * (number != 1)}"


def shares_in_words(shares: Mapping[str, float]) -> str:
    """Shares by name, the names as they are.

    >>> shares_in_words({"train": 0.875, "test": 0.125})
    '87.5 % train, 12.5 % test'
    """
    found = [f"{100 * share:.4g} % {name}" for name, share in list(shares.items())[:_MAX_NAMES]]
    rest = len(shares) - _MAX_NAMES
    return ", ".join([*found, f"{rest:,} more"] if rest > 0 else found)
