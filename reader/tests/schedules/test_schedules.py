"""Random schedules of faults and kills: nothing lost, nothing doubled, and no reader ever sees a part.

A schedule is all that is drawn from one number: who publishes which build, at which request each of them dies, what the
network does meanwhile, who moves aliases and deletes. One that fails is run again alone by its name, such as

    pytest reader/tests/schedules -k gcs-0017

$GROUPSTREAM_SCHEDULES times as many are played: 10 makes it more than three thousand.
"""

from __future__ import annotations

import os

import pytest

from groupstream.testing import KINDS

TIMES = int(os.environ.get("GROUPSTREAM_SCHEDULES", "1"))
PLAYED = {"local": 150, "gcs": 140, "s3": 12}
PLAYED_IN_PROCESSES = {"local": 14, "gcs": 6, "s3": 3}

# Google's client lets go of some failed answers unread.
pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::groupstream.deprecation.DeprecatedVersionWarning"),
]


def seeds(counts: dict[str, int]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("ground", "seed"),
        [pytest.param(kind, seed, id=f"{kind}-{seed:04d}") for kind, n in counts.items() for seed in range(n * TIMES)],
        indirect=["ground"],
    )


@seeds(PLAYED)
def test_nothing_is_lost_doubled_or_seen_in_part(play, seed: int) -> None:
    play(seed)


@seeds(PLAYED_IN_PROCESSES)
def test_nothing_is_lost_where_processes_are_killed(play, seed: int) -> None:
    play(seed, in_process=True)


def test_every_kind_of_thing_happened(tally) -> None:
    print(dict(tally))
    if tally["schedules"] < sum(PLAYED.values()):
        pytest.skip("only some schedules were played")
    assert tally["kills"] > 100
    assert tally["losers"] > 50
    assert tally["versions read"] > 300
    assert {kind.removeprefix("fault ") for kind in tally if kind.startswith("fault ")} == set(KINDS)
