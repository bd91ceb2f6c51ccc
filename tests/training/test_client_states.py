"""What clients keep, as the next round and the next process find it."""

from __future__ import annotations

import numpy as np
import pytest

from training.client_states import ClientStates
from training.data.clients import PackedCohort

FIRST = {"a": np.zeros((2, 3), np.float32), "b": np.float32(5)}


def cohort(*group_ids: bytes, places: int = 3) -> PackedCohort:
    return PackedCohort({}, np.ones(places, np.int64), list(group_ids))


def states(*values: float) -> dict:
    values = (*values, *[-1.0] * (3 - len(values)))
    return {
        "a": np.stack([np.full((2, 3), value, np.float32) for value in values]),
        "b": np.array(values, np.float32),
    }


def values_of(found) -> list[float]:
    assert found["a"].shape == (3, 2, 3) and found["b"].shape == (3,)
    return found["a"][:, 0, 0].tolist()


def test_a_client_finds_what_it_left(tmp_path):
    kept = ClientStates(tmp_path, 0)
    assert values_of(kept.load(cohort(b"x", b"y"), FIRST)) == [0, 0, 0]
    kept.save(0, cohort(b"x", b"y"), states(1, 2))
    kept.save(1, cohort(b"y", b"z"), states(3, 4))
    assert values_of(kept.load(cohort(b"x", b"y", b"z"), FIRST)) == [1, 3, 4]
    assert values_of(ClientStates(tmp_path, 2).load(cohort(b"z", b"new"), FIRST)) == [4, 0, 0]


@pytest.mark.parametrize("forgets", [False, True])
def test_who_goes_on_at_a_round_finds_what_that_round_found(tmp_path, forgets):
    kept = ClientStates(tmp_path, 0)
    for round_ in range(6):
        kept.save(round_, cohort(b"x"), states(10 + round_))
        if forgets and round_ == 2:
            kept.forget_before(3)
    assert len(list(tmp_path.iterdir())) == (4 if forgets else 6)
    assert values_of(ClientStates(tmp_path, 3).load(cohort(b"x"), FIRST))[0] == 12
    assert values_of(ClientStates(tmp_path, 5).load(cohort(b"x"), FIRST))[0] == 12, "what came later is gone"


def test_algorithms_whose_clients_keep_nothing_leave_no_file(tmp_path):
    kept = ClientStates(tmp_path, 0)
    assert kept.load(cohort(b"x"), ()) == ()
    kept.save(0, cohort(b"x"), ())
    assert not list(tmp_path.iterdir())
