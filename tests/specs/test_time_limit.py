from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import numpy as np
import pyarrow as pa
import pytest

from groupstream import SpecError, WorkerError
from partitioners import ByFunction
from partitioners.partitioner import ExampleIds
from tasks.artifacts import never_failing
from tasks.time_limit import limited_time, public_error

TOO_LONG = r"^the run took longer than .* GROUPSTREAM_MAX_RUN_SECONDS"


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    """Another one runs: what runs the tests sets it, too."""
    handler = signal.signal(signal.SIGALRM, lambda number, frame: None)
    left, _ = signal.setitimer(signal.ITIMER_REAL, 50)
    yield
    assert 40 < signal.getitimer(signal.ITIMER_REAL)[0] < 50
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, left)


def test_what_takes_too_long_ends_with_an_error(monkeypatch):
    monkeypatch.setenv("GROUPSTREAM_MAX_RUN_SECONDS", "0.05")
    with pytest.raises(WorkerError, match=r"took longer than .* GROUPSTREAM_MAX_RUN_SECONDS"), limited_time():
        time.sleep(60)


def test_what_may_fail_does_not_go_on_when_the_time_is_up(monkeypatch):
    monkeypatch.setenv("GROUPSTREAM_MAX_RUN_SECONDS", "0.05")
    with pytest.raises(WorkerError, match=TOO_LONG), limited_time(), never_failing("all of it"):
        time.sleep(60)


def test_what_blames_the_example_says_that_the_time_is_up(monkeypatch, tmp_path):
    (tmp_path / "slow_of_test.py").write_text("import time\ndef wait(example): time.sleep(60)\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("GROUPSTREAM_ALLOWED_PACKAGES", "slow_of_test")
    monkeypatch.setenv("GROUPSTREAM_MAX_RUN_SECONDS", "0.5")
    partitioner = ByFunction(function="slow_of_test:wait", features=["key"])
    with pytest.raises(WorkerError, match=TOO_LONG), limited_time():
        partitioner.assign(pa.record_batch({"key": ["a"]}), ExampleIds(0, np.arange(1)))


def test_what_makes_another_error_of_it_says_that_the_time_is_up(monkeypatch):
    monkeypatch.setenv("GROUPSTREAM_MAX_RUN_SECONDS", "0.05")
    told: list[BaseException] = []

    def load() -> None:
        try:
            time.sleep(60)
        except BaseException as error:
            told.append(public_error(error))  # as the registry is
            raise RuntimeError("Fetch the data again") from error

    with pytest.raises(WorkerError, match=TOO_LONG), limited_time():
        load()
    assert [type(error) for error in told] == [WorkerError]


def test_the_end_of_the_time_comes_again_where_it_was_lost(monkeypatch):
    monkeypatch.setenv("GROUPSTREAM_MAX_RUN_SECONDS", "0.05")
    with pytest.raises(WorkerError, match=TOO_LONG), limited_time():
        _lose(3)


def _lose(count: int) -> None:
    for _ in range(count):
        with suppress(BaseException):
            time.sleep(60)
    time.sleep(60)


def test_cleaning_up_is_not_ended(monkeypatch):
    monkeypatch.setenv("GROUPSTREAM_MAX_RUN_SECONDS", "0.05")
    cleaned: list[str] = []

    def clean() -> None:
        time.sleep(0.3)
        cleaned.append("all")

    stack = ExitStack()
    stack.callback(clean)
    with pytest.raises(WorkerError, match=TOO_LONG), limited_time(), stack:
        time.sleep(60)
    assert cleaned == ["all"]


def test_other_errors_are_left_as_they_are(monkeypatch):
    monkeypatch.setenv("GROUPSTREAM_MAX_RUN_SECONDS", "60")
    for error in (OSError("no room"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as raised, limited_time():
            raise error
        assert raised.value is error


def test_what_ends_in_time_is_left_alone(monkeypatch):
    monkeypatch.setenv("GROUPSTREAM_MAX_RUN_SECONDS", "1")
    with limited_time():
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 1
    time.sleep(1.2)


def test_without_a_limit_no_clock_runs(monkeypatch):
    monkeypatch.delenv("GROUPSTREAM_MAX_RUN_SECONDS", raising=False)
    with limited_time():
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 40


def test_in_another_thread_no_clock_runs(monkeypatch):
    monkeypatch.setenv("GROUPSTREAM_MAX_RUN_SECONDS", "60")
    found = []

    def work() -> None:
        with limited_time():
            found.append(signal.getitimer(signal.ITIMER_REAL))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found[0][0] > 40


@pytest.mark.parametrize("text", ["1h", "0", "-5", "nan", "inf"])
def test_a_limit_that_is_no_number_of_seconds_stops_builds(monkeypatch, text):
    monkeypatch.setenv("GROUPSTREAM_MAX_RUN_SECONDS", text)
    with pytest.raises(SpecError, match=r"GROUPSTREAM_MAX_RUN_SECONDS is .* number of seconds above 0"), limited_time():
        pass
