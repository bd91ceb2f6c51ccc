"""What the number of a version promises about the one before it, and which number comes next: rules without I/O.

    1.2.3 -> 1.2.4  patch: the same examples in the same groups and splits, in the same or other bytes
    1.2.3 -> 1.3.0  minor: everything that was there is unchanged; features, groups or splits came to it
    1.2.3 -> 2.0.0  major: nothing is promised

A promise is about all smaller numbers of the same major number, also about those that another build has claimed and not
published yet: nobody knows what they will hold. So a version that adds something never gets a number above, or below,
one of theirs.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from enum import IntEnum

from groupstream.layout import version_key


class Level(IntEnum):
    """How much differs between two versions."""

    PATCH = 1
    MINOR = 2
    MAJOR = 3

    def __str__(self) -> str:
        return self.name.lower()

    def promise(self, older: str) -> str:
        """What a number that is larger by this level promises of the older version."""
        return {1: f"the same examples as {older}", 2: f"all that {older} has, unchanged", 3: "nothing"}[self]


@dataclass(frozen=True)
class Taken:
    """The numbers of a dataset that have been used.

    Attributes:
        published: of the versions that can be opened, in ascending order.
        own: of those that the same build has published or claimed.
        claimed: of those that other builds have claimed and not published, and maybe never will.
        deleted: of versions that were published once.
    """

    published: tuple[str, ...] = ()
    own: frozenset[str] = frozenset()
    claimed: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()

    @property
    def latest(self) -> str | None:
        """The largest number that is published."""
        return self.published[-1] if self.published else None

    @property
    def built(self) -> str | None:
        """The largest number that the same build has published."""
        return next((version for version in reversed(self.published) if version in self.own), None)

    def is_free(self, version: str) -> bool:
        """Whether the same build may have the number."""
        return version not in {*self.claimed, *self.deleted, *self.published}

    def before(self, version: str) -> str | None:
        """The published version with the largest number below."""
        smaller = (other for other in reversed(self.published) if version_key(other) < version_key(version))
        return next(smaller, None)

    def after(self, version: str) -> str | None:
        """The published version with the smallest number above."""
        return next((other for other in self.published if version_key(other) > version_key(version)), None)


def level_between(older: str, newer: str) -> Level:
    """The level of the step from one number to a larger one.

    >>> str(level_between("1.2.3", "1.4.0"))
    'minor'
    """
    (major, minor, _), (new_major, new_minor, _) = version_key(older), version_key(newer)
    if new_major != major:
        return Level.MAJOR
    return Level.PATCH if new_minor == minor else Level.MINOR


def next_number(base: str | None, level: Level, taken: Taken) -> str:
    """The smallest free number above `base` that promises nothing wrong.

    Args:
        base: the version that was compared; None where there is none.
        level: how much differs from it.

    >>> next_number("1.2.0", Level.MINOR, Taken(("1.0.0", "1.2.0")))
    '1.3.0'
    """
    major, minor, patch = version_key(base) if base else (0, 0, 0)
    if base and level is Level.PATCH:
        return next(n for p in itertools.count(patch + 1) if taken.is_free(n := f"{major}.{minor}.{p}"))
    if base and level is Level.MINOR:
        number = f"{major}.{minor + 1}.0"
        if taken.is_free(number) and hindrance(number, base, level, taken) is None:
            return number
    used = {version_key(n)[0] for n in (*taken.claimed, *taken.deleted, *taken.published)}
    return next(f"{m}.0.0" for m in itertools.count(major + 1) if m not in used)


def hindrance(number: str, base: str | None, level: Level, taken: Taken) -> str | None:
    """A number of another build, or of a deleted version, of which `number` would promise what nobody knows.

    Args:
        base: the published version before it, that it was compared with.
        level: how much differs from that.

    Returns:
        The smallest of them; None where there is none.
    """
    major, minor, _ = wanted = version_key(number)
    in_line = base is not None and version_key(base)[0] == major
    known = version_key(base)[1] if base and in_line else -1  # up to there, others promise to hold the same as base
    is_same = in_line and level is Level.PATCH  # then what others promise of base, they promise of it
    for other in sorted({*taken.claimed, *taken.deleted} - {number}, key=version_key):
        other_major, other_minor, _ = found = version_key(other)
        if other_major != major or other_minor <= known:
            continue
        if found < wanted or other_minor == minor or not is_same:
            return other
    return None


def keeps_its_word(number: str, base: str | None, level: Level, before: Taken, now: Taken) -> bool:
    """Whether a number that was chosen by what was taken `before`, and is claimed now, is still right by what is `now`.

    Two builds that choose at once may each not have seen the other; but after both have claimed, one of them does.
    """

    def line(taken: Taken) -> list[str]:
        return [
            v
            for v in taken.published
            if v != number and level_between(*sorted((v, number), key=version_key)) < Level.MAJOR
        ]

    is_open = number not in now.deleted and hindrance(number, base, level, now) is None
    return is_open and line(before) == line(now)
