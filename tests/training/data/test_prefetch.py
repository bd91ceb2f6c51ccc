from __future__ import annotations

import gc
import threading
import time
from typing import Any, NamedTuple

import pytest

from groupstream import CorruptError, UsageError
from training.data.packing import CohortPacker, Packing
from training.data.prefetch import prefetch, rounds
from training.data.text import TextForm
from training.data.tokenizer import byte_tokenizer


class Numbered(NamedTuple):
    """The clients of a round: here, numbers."""

    round: int
    clients: tuple[int, ...] = ()

    def __iter__(self) -> Any:
        return iter(self.clients)


@pytest.fixture
def cohorts(make_dataset):
    groups = {f"g{i}": [f"text {i} {n}" for n in range(i + 1)] for i in range(9)}
    return make_dataset(groups)["train"].cohorts(4, seed=3, sampling="epochs")


@pytest.mark.parametrize(("num_ahead", "num_threads"), [(0, 1), (1, 1), (2, 2), (5, 3)])
def test_rounds_come_in_order_and_from_any_of_them_on(cohorts, num_threads, num_ahead, num_threads_left):
    pack = CohortPacker(TextForm(byte_tokenizer(), ("text",), 5), Packing(3, 2), 4)
    with prefetch(rounds(cohorts, stop=7), pack, num_ahead=num_ahead, num_threads=num_threads) as ahead:
        everything = list(ahead)
    assert [round for round, _ in everything] == list(range(7))
    with prefetch(rounds(cohorts, 3, 7), pack, num_ahead=num_ahead, num_threads=num_threads) as ahead:
        later = list(ahead)
    for (round, packed), (expected_round, expected) in zip(later, everything[3:], strict=True):
        assert round == expected_round and packed.counts == expected.counts
        assert packed.cohort.group_ids == expected.cohort.group_ids == cohorts[round].group_ids
        for name, array in packed.cohort.batches.items():
            assert array.tobytes() == expected.cohort.batches[name].tobytes()


def test_no_more_is_packed_than_may_be_ahead(num_threads_left):
    begun = []

    def pack(clients):
        begun.append(clients.round)
        return clients.round

    for num_ahead in (0, 1, 3):
        begun.clear()
        with prefetch(map(Numbered, range(20)), pack, num_ahead=num_ahead, num_threads=2) as ahead:
            for round, packed in ahead:
                assert round == packed
                time.sleep(0.002)
                assert max(begun) <= round + num_ahead


def test_work_goes_on_while_the_caller_works(num_threads_left):
    is_packed = threading.Event()

    def pack(clients):
        if clients.round == 2:
            is_packed.set()

    with prefetch(map(Numbered, range(9)), pack, num_ahead=2, num_threads=1) as ahead:
        next(ahead)
        assert is_packed.wait(10)


def test_an_error_comes_out_where_its_round_would(num_threads_left):
    def pack(clients):
        if clients.round == 2:
            raise CorruptError("broken")
        return clients.round

    ahead = prefetch(map(Numbered, range(9)), pack, num_ahead=4)
    assert [next(ahead)[0], next(ahead)[0]] == [0, 1]
    with pytest.raises(CorruptError, match="broken"):
        next(ahead)
    assert num_threads_left() == 0
    assert list(ahead) == []


def test_an_error_of_drawing_comes_out(num_threads_left):
    def draw():
        yield Numbered(0)
        raise CorruptError("no index")

    ahead = prefetch(draw(), lambda clients: clients.round)
    with pytest.raises(CorruptError, match="no index"):
        list(ahead)
    assert num_threads_left() == 0


def test_leaving_early_ends_the_threads_before_their_next_client(num_threads_left):
    seen: list[int] = []

    def pack(clients):
        for client in clients:
            seen.append(client)
            time.sleep(0.005)

    cohorts = [Numbered(0), *(Numbered(round, tuple(range(2_000))) for round in range(1, 9))]
    with prefetch(cohorts, pack, num_threads=2) as ahead:
        next(ahead)
        while not seen:
            time.sleep(0.001)
        start = time.perf_counter()
    assert time.perf_counter() - start < 5
    assert num_threads_left() == 0 and len(seen) < 1_000


def test_who_forgets_it_leaves_no_thread(num_threads_left):
    ahead = prefetch(map(Numbered, range(9)), lambda clients: clients.round)
    next(ahead)
    del ahead
    gc.collect()
    end = time.monotonic() + 10
    while num_threads_left() and time.monotonic() < end:
        time.sleep(0.01)
    assert num_threads_left() == 0


@pytest.mark.parametrize("setting", [{"num_ahead": -1}, {"num_threads": 0}])
def test_numbers_out_of_range_are_refused(setting):
    with pytest.raises(UsageError, match="at least 0 and at least 1"):
        prefetch([], lambda clients: clients.round, **setting)
