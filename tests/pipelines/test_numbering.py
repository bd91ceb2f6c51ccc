"""Which number comes next, and that no number ever promises what is not so."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groupstream.layout import version_key
from pipelines.numbering import Level, Taken, hindrance, keeps_its_word, level_between, next_number


@pytest.mark.parametrize(
    ("base", "level", "taken", "expected"),
    [
        (None, Level.MAJOR, Taken(), "1.0.0"),
        ("1.2.3", Level.PATCH, Taken(("1.2.3",)), "1.2.4"),
        ("1.2.3", Level.MINOR, Taken(("1.2.3",)), "1.3.0"),
        ("1.2.3", Level.MAJOR, Taken(("1.2.3",)), "2.0.0"),
        ("1.9.9", Level.PATCH, Taken(("1.9.9",), claimed=frozenset(["1.9.10"])), "1.9.11"),
        ("1.2.3", Level.PATCH, Taken(("1.2.3",), deleted=frozenset(["1.2.4", "1.2.5"])), "1.2.6"),
        ("1.2.3", Level.PATCH, Taken(("1.2.3",), claimed=frozenset(["1.3.0"])), "1.2.4"),
        ("1.2.3", Level.MINOR, Taken(("1.2.3",), claimed=frozenset(["1.2.4"])), "1.3.0"),
        ("1.2.3", Level.MINOR, Taken(("1.2.3",), claimed=frozenset(["1.3.0"])), "2.0.0"),
        ("1.2.3", Level.MINOR, Taken(("1.2.3",), claimed=frozenset(["1.7.2"])), "2.0.0"),
        ("1.2.3", Level.MINOR, Taken(("1.2.3",), deleted=frozenset(["1.3.0"])), "2.0.0"),
        ("1.2.3", Level.MINOR, Taken(("1.2.3",), own=frozenset(["1.3.0"])), "1.3.0"),
        ("1.2.3", Level.MAJOR, Taken(("1.2.3",), claimed=frozenset(["2.5.0", "3.0.0"])), "4.0.0"),
        ("1.2.3", Level.MAJOR, Taken(("1.2.3",), deleted=frozenset(["2.0.0"])), "3.0.0"),
        (None, Level.MAJOR, Taken(claimed=frozenset(["1.0.0"])), "2.0.0"),
        ("0.4.0", Level.MAJOR, Taken(("0.4.0",)), "1.0.0"),
    ],
)
def test_the_next_number_is_the_smallest_that_is_free_and_true(
    base: str | None, level: Level, taken: Taken, expected: str
) -> None:
    assert next_number(base, level, taken) == expected


def test_neighbours_are_by_number() -> None:
    taken = Taken(("1.2.0", "1.10.0", "2.0.0"), own=frozenset(["1.2.0", "1.10.0", "3.0.0"]))
    assert (taken.before("1.10.1"), taken.after("1.9.0"), taken.latest) == ("1.10.0", "1.10.0", "2.0.0")
    assert (taken.before("1.0.0"), taken.after("2.0.0"), taken.built) == (None, None, "1.10.0")
    assert Taken().built is None and Taken().latest is None


# Many builds at once, each of which stops between any two of its steps. What a version holds is a set of groups.


@dataclass
class World:
    """What is published and claimed; a number that is claimed belongs to the build of that number."""

    published: dict[str, frozenset[str]] = field(default_factory=dict)
    claims: dict[str, int] = field(default_factory=dict)
    deleted: dict[str, frozenset[str]] = field(default_factory=dict)

    def taken(self, build: int) -> Taken:
        published = tuple(sorted(self.published, key=version_key))
        own = frozenset(v for v, owner in self.claims.items() if owner == build) - self.deleted.keys()
        others = frozenset(self.claims.keys() - self.published.keys() - self.deleted.keys() - own)
        return Taken(published, own, others, frozenset(self.deleted))


def level_of(old: frozenset[str], new: frozenset[str]) -> Level:
    return Level.PATCH if old == new else Level.MINOR if old < new else Level.MAJOR


def build(world: World, number_of_build: int, groups: frozenset[str], wanted: str | None) -> Generator[None]:
    """The steps of `claims.claim_number`, and then publishing; each `yield` lets others go on."""
    while True:
        taken = world.taken(number_of_build)
        if taken.built is not None:
            return
        yield
        base = taken.before(wanted) if wanted else taken.latest
        level = level_of(world.published.get(base) or world.deleted[base], groups) if base else Level.MAJOR
        after = taken.after(wanted) if wanted else None
        if wanted and (not taken.is_free(wanted) or is_untrue(world, wanted, base, after, groups, level, taken)):
            return
        number = wanted or next_number(base, level, taken)
        yield
        is_ours = world.claims.setdefault(number, number_of_build) == number_of_build
        yield
        if is_ours and keeps_its_word(number, base, level, taken, world.taken(number_of_build)):
            break
    yield
    world.published[number] = groups


def is_untrue(
    world: World, wanted: str, base: str | None, after: str | None, groups: frozenset[str], level: Level, taken: Taken
) -> bool:
    """As `asked_number.refuse_untrue` has it."""
    if base and level > level_between(base, wanted):
        return True
    later = (world.published.get(after) or world.deleted[after]) if after else groups
    if after and level_of(groups, later) > level_between(wanted, after):
        return True
    return hindrance(wanted, base, level, taken) is not None


contents = st.sampled_from([frozenset(each) for n in (1, 2, 3) for each in itertools.combinations("abc", n)])
explicit = st.one_of(st.none(), st.sampled_from([f"{a}.{b}.{c}" for a in (1, 2) for b in (0, 1, 2) for c in (0, 1)]))


@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(contents, explicit), min_size=1, max_size=8), st.data())
def test_no_number_promises_what_is_not_so_whoever_builds_at_once(
    builds: list[tuple[frozenset[str], str | None]], data: st.DataObject
) -> None:
    world = World()
    running = {i: build(world, i, *each) for i, each in enumerate(builds)}
    for _ in range(400):
        if not running:
            break
        chosen = data.draw(st.sampled_from(sorted(running)))
        if data.draw(st.integers(0, 19)) == 0:
            del running[chosen]  # it dies, and leaves its claim
        elif next(running[chosen], "ended") == "ended":
            del running[chosen]
        if world.published and data.draw(st.integers(0, 19)) == 0:
            gone = data.draw(st.sampled_from(sorted(world.published)))
            world.deleted[gone] = world.published.pop(gone)
    everything = {**world.published, **world.deleted}
    for older, newer in itertools.combinations(sorted(everything, key=version_key), 2):
        assert level_of(everything[older], everything[newer]) <= level_between(older, newer), (older, newer, everything)
