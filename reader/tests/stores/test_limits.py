"""What a process may use of a network: counted at the server, never by a clock that has to be fast."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from groupstream import UsageError
from groupstream.stores.limits import BYTES_PER_SECOND, CONNECTIONS, REQUESTS_PER_SECOND, Pace, current_limits
from groupstream.testing import FaultyServer, Reply

# Google's client lets go of some failed answers unread.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

REMOTE, BUCKETS = ["gcs", "s3", "http"], ["gcs", "s3"]


def only(*kinds: str) -> pytest.MarkDecorator:
    """For tests of some stores: `place` is made of each of these kinds."""
    return pytest.mark.parametrize("place", kinds, indirect=True)


@pytest.fixture(autouse=True)
def _no_limit_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (BYTES_PER_SECOND, REQUESTS_PER_SECOND, CONNECTIONS):
        monkeypatch.delenv(name, raising=False)


class AtOnce:
    """How many requests a server answered at once, at most."""

    def __init__(self, server) -> None:
        self.most, self._now, self._lock = 0, 0, threading.Lock()
        pass_on = server.reply

        def reply(*asked) -> Reply:
            with self._lock:
                self._now += 1
                self.most = max(self.most, self._now)
            try:
                time.sleep(0.02)
                return pass_on(*asked)
            finally:
                with self._lock:
                    self._now -= 1

        server.reply = reply


@only(*REMOTE)
def test_no_more_requests_are_made_than_allowed(place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write("x", bytes(1_000))
    store = place.store()
    store.read("x")
    place.server.requests.clear()
    monkeypatch.setenv(REQUESTS_PER_SECOND, "40")
    begun = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: store.read("x", number, 10), range(25)))
    seconds = time.monotonic() - begun
    assert len(place.server.requests) == 25
    assert seconds >= 24 / 40


@only(*REMOTE)
@pytest.mark.parametrize("length", [200_000, None])
def test_no_more_bytes_are_read_than_allowed(place, monkeypatch: pytest.MonkeyPatch, length: int | None) -> None:
    place.write("x", bytes(200_000))
    store = place.store()
    store.read("x")
    monkeypatch.setenv(BYTES_PER_SECOND, "2e6")
    begun = time.monotonic()
    with ThreadPoolExecutor(4) as threads:
        assert all(len(data) == 200_000 for data in threads.map(lambda _: store.read("x", 0, length), range(8)))
    assert time.monotonic() - begun >= 7 * 200_000 / 2e6


@only(*BUCKETS)
def test_no_more_bytes_are_written_than_allowed(place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(bytes(200_000))
    store = place.store()
    store.put_if_absent("first", b"")
    monkeypatch.setenv(BYTES_PER_SECOND, "2e6")
    begun = time.monotonic()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: store.put_if_absent(f"{number}", tmp_path / "source"), range(8)))
    assert time.monotonic() - begun >= 7 * 200_000 / 2e6


@only(*REMOTE)
@pytest.mark.parametrize("limit", [1, 3])
def test_no_more_connections_are_used_than_allowed(place, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    place.write("x", bytes(1_000))
    store = place.store()
    store.read("x")
    monkeypatch.setenv(CONNECTIONS, str(limit))
    counted = AtOnce(place.server)
    with ThreadPoolExecutor(12) as threads:
        list(threads.map(lambda number: store.read("x", number, 10), range(24)))
    assert max(1, limit - 1) <= counted.most <= limit


class WebProxy(FaultyServer):
    """Answers for every server."""

    def reply(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        return Reply(206, b"proxied", {"Content-Range": "bytes 0-6/7"})


@only("gcs", "http")
def test_limits_hold_through_a_proxy_too(place, monkeypatch: pytest.MonkeyPatch) -> None:
    with WebProxy() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        monkeypatch.setenv(REQUESTS_PER_SECOND, "40")
        begun = time.monotonic()
        for _ in range(9):
            assert place.store().read("x", 0, 7) == b"proxied"
        assert time.monotonic() - begun >= 8 / 40
        assert {request.path.startswith(place.server.url) for request in proxy.requests} == {True}


@pytest.mark.integration  # a client waits between its attempts
@only(*REMOTE)
def test_a_connection_that_failed_is_given_back(place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write("x", bytes(1_000))
    store = place.store()
    monkeypatch.setenv(CONNECTIONS, "1")
    for fault in (place.server.faults.refuse, place.server.faults.cut, place.server.faults.lose):
        fault(method="GET")
        assert store.read("x") == bytes(1_000)
        assert not len(place.server.faults)
    with pytest.raises(FileNotFoundError):
        store.read("missing")
    assert store.stat("missing") is None
    assert store.read("x", 1_000, 5) == b""
    assert store.read("x") == bytes(1_000)
    free = current_limits().connections
    assert free is not None
    assert free.acquire(timeout=1)
    free.release()


@pytest.mark.integration
@only(*BUCKETS)
def test_an_upload_in_parts_needs_no_second_connection(place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(bytes(40 << 20))
    monkeypatch.setenv(CONNECTIONS, "1")
    assert place.store().put_if_absent("x", tmp_path / "source")
    assert not place.store().put_if_absent("x", tmp_path / "source")
    assert place.store().size_bytes("x") == 40 << 20


@pytest.mark.parametrize("name", [BYTES_PER_SECOND, REQUESTS_PER_SECOND, CONNECTIONS])
@pytest.mark.parametrize("text", ["many", "0", "-1", "inf", "nan"])
def test_a_limit_is_a_number_above_0(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(UsageError, match=rf"^\${name} is '{text}'; write a number above 0, such as 8 or 50e6"):
        current_limits()


@only(*REMOTE)
def test_a_limit_that_is_none_is_told_in_one_line(place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONNECTIONS, "few")
    with pytest.raises(UsageError, match=r"^\$GROUPSTREAM_MAX_CONNECTIONS is 'few'; write a number above 0"):
        place.store().read("x")


def test_a_pace_holds_for_all_threads_together() -> None:
    now, slept = [0.0], []
    pace = Pace(100, clock=lambda: now[0], sleep=slept.append)
    pace.take(1_000)
    pace.take(10)
    now[0] = 3.0
    pace.take(0)
    assert slept == [10.0, pytest.approx(7.1)]
    now[0] = 60.0  # what was not used is lost
    pace.take(500)
    pace.take(1)
    assert slept[2:] == [pytest.approx(5.0)]
