"""How much of a long list a page has room for: so many bytes, however long the texts are and whatever they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

from markupsafe import escape

from cards.text import format_count, visible

T = TypeVar("T")


class Fitting(NamedTuple):
    """The beginning of a list.

    Attributes:
        shown: the first items.
        rest: how many others there are.
    """

    shown: list
    rest: int

    def more(self, noun: str) -> str:
        """What to write below it; empty where all are shown.

        >>> Fitting([], 1200).more("feature"), Fitting([], 1).more("feature"), Fitting([1], 0).more("feature")
        ('and 1,200 more features', 'and 1 more feature', '')
        """
        return f"and {format_count(self.rest)} more {noun}{'s' * (self.rest != 1)}" if self.rest else ""


def fitting(items: Iterable[T], num_items: int, texts: Callable[[T], Iterable[str]], max_bytes: int) -> Fitting:
    """The first items whose texts fit.

    Args:
        items: in the order to show; no more are taken than fit.
        num_items: how many there are.
        texts: what the page shows of an item.
        max_bytes: of all texts together, as the page holds them: escaped, in UTF-8.
    """
    room, shown = max_bytes, []
    for item in items:
        room -= sum(map(page_bytes, texts(item)))
        if room < 0:
            break
        shown.append(item)
    return Fitting(shown, num_items - len(shown))


def page_bytes(text: str) -> int:
    """How many bytes a text takes in the page.

    >>> page_bytes("a<b"), page_bytes("é")
    (6, 2)
    """
    return len(str(escape(visible(text))).encode())


def cut_to_page(text: str, max_bytes: int) -> str:
    """The beginning of a text that takes no more than so many bytes, and how much is left out.

    >>> cut_to_page("<<<<", 8)
    '<< … 2 more characters'
    """
    kept = text[:max_bytes]
    while (size := page_bytes(kept)) > max_bytes:
        kept = kept[: len(kept) * max_bytes // size]
    rest = len(text) - len(kept)
    return kept + (f" … {format_count(rest)} more characters" if rest else "")
