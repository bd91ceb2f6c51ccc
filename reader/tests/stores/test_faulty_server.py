"""What the servers of the tests make go wrong, seen from the other end of the connection."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from groupstream.testing import KINDS, Faults, FaultyServer, FolderServer, GcsServer, Proxy, Reply

CONTENT = b"0123456789" * 1000


class Echo(FaultyServer):
    """Answers with what it was sent; notes what it carried out."""

    def __init__(self) -> None:
        self.done: list[bytes] = []
        super().__init__()

    def reply(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        self.done.append(body)
        return Reply(200, body or CONTENT)


@pytest.fixture(params=["itself", "a proxy"])
def echo(request: pytest.FixtureRequest) -> Iterator[tuple[Echo, FaultyServer]]:
    """A server, and the one whose connections fail: the same, or a proxy in front of it."""
    with Echo() as server:
        if request.param == "itself":
            yield server, server
        else:
            with Proxy(server.url) as proxy:
                yield server, proxy


def ask(server: FaultyServer, method: str = "GET", path: str = "/x", body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]), timeout=20)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_a_refusal_says_when_to_come_back(echo: tuple[Echo, FaultyServer]) -> None:
    server, front = echo
    front.faults.refuse(status=429, retry_after=7, body=b"slowly")
    connection = http.client.HTTPConnection("127.0.0.1", int(front.url.rpartition(":")[2]))
    connection.request("GET", "/x")
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Retry-After"), answer.read()) == (429, "7", b"slowly")
    connection.close()
    assert server.done == []


def test_a_reset_comes_before_anything_is_done(echo: tuple[Echo, FaultyServer]) -> None:
    server, front = echo
    front.faults.reset(times=2)
    for body in (None, CONTENT):
        with pytest.raises(ConnectionError):
            ask(front, "POST" if body else "GET", body=body)
    assert server.done == []
    assert ask(front) == (200, CONTENT)


def test_what_is_lost_was_done(echo: tuple[Echo, FaultyServer]) -> None:
    server, front = echo
    front.faults.lose()
    with pytest.raises(http.client.RemoteDisconnected):
        ask(front, "PUT", body=b"content")
    assert server.done == [b"content"]


def test_a_cut_answer_is_shorter_than_it_says(echo: tuple[Echo, FaultyServer]) -> None:
    _, front = echo
    front.faults.cut()
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(front)
    assert CONTENT.startswith(caught.value.partial)
    assert len(caught.value.partial) == len(CONTENT) // 2
    assert front.body_bytes == len(CONTENT) // 2


def test_a_slow_answer_comes_whole(echo: tuple[Echo, FaultyServer]) -> None:
    _, front = echo
    front.faults.slow(seconds=0.2)
    begun = time.monotonic()
    assert ask(front) == (200, CONTENT)
    assert time.monotonic() - begun >= 0.2


def test_a_request_that_is_cut_is_not_done(echo: tuple[Echo, FaultyServer]) -> None:
    server, front = echo
    front.faults.cut_upload()
    with pytest.raises(ConnectionError):
        ask(front, "PUT", body=CONTENT)
    assert server.done == []


def test_a_client_that_hangs_up_has_asked_nothing(echo: tuple[Echo, FaultyServer]) -> None:
    server, front = echo
    connection = http.client.HTTPConnection("127.0.0.1", int(front.url.rpartition(":")[2]))
    connection.putrequest("PUT", "/x")
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b"the beginning")
    connection.close()
    assert ask(front) == (200, CONTENT)
    assert server.done == [b""]


def test_a_fault_waits_for_its_path(echo: tuple[Echo, FaultyServer]) -> None:
    _, front = echo
    front.faults.refuse(path=r"/a.*\.json$")
    front.faults.refuse(status=500, path="/b", method="PUT")
    assert [ask(front, path=path)[0] for path in ("/a", "/b", "/a/x.json", "/a/x.json")] == [200, 200, 503, 200]
    assert [ask(front, "PUT", "/b", b"x")[0] for _ in range(2)] == [500, 200]
    assert front.faults.hits == {"503": 1, "500": 1}


def test_hanging_up_resets_whatever_is_on_its_way() -> None:
    with Echo() as server:
        server.faults.slow(times=3, seconds=30)
        failed: list[BaseException] = []

        def read() -> None:
            try:
                ask(server)
            except (ConnectionError, http.client.IncompleteRead) as error:
                failed.append(error)

        threads = [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        while len(server.requests) < 3:
            time.sleep(0.001)
        assert server.hang_up() == 3
        for thread in threads:
            thread.join(20)
        assert len(failed) == 3
        assert ask(server) == (200, CONTENT)


def test_random_faults_are_of_the_seed_and_the_request_not_of_its_turn() -> None:
    requests = [("GET", f"/{n}") for n in range(300)] + [("PUT", f"/{n}") for n in range(300)]

    def drawn(order: list[tuple[str, str]], seed: int = 3) -> dict[tuple[str, str], str]:
        faults = Faults()
        faults.random(seed, 0.5)
        return {each: fault.kind + str(fault.status) for each in order if (fault := faults.take(*each))}

    assert drawn(requests) == drawn(requests[::-1])
    assert drawn(requests) != drawn(requests, seed=4)
    assert 250 < len(drawn(requests)) < 350
    kinds = Counter(kind for (method, _), kind in drawn(requests).items() if method == "PUT")
    assert set(kinds) == {"refuse429", "refuse500", "refuse503"} | {f"{k}0" for k in KINDS[3:] if k != "cut"}


def test_random_faults_hit_only_what_they_shall_and_end() -> None:
    faults = Faults()
    faults.random(1, 1.0, kinds=("cut", "503"), path="json")
    assert faults.take("GET", "/x.txt") is None
    assert {faults.take("PUT", "/x.json").status for _ in range(9)} == {503}  # only the answers of a GET are cut
    faults.calm()
    assert faults.take("GET", "/x.json") is None


def test_a_folder_is_served_in_ranges_without_being_read_whole(tmp_path) -> None:
    with open(tmp_path / "large", "wb") as file:
        file.truncate(1 << 40)
        file.write(b"begins")
    with FolderServer(tmp_path) as server:
        connection = http.client.HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]))
        connection.request("GET", "/large", headers={"Range": "bytes=2-7"})
        assert connection.getresponse().read() == b"gins\0\0"
        connection.request("HEAD", "/large")
        assert connection.getresponse().getheader("Content-Length") == str(1 << 40)
        connection.close()


def test_random_faults_of_a_bucket_lose_nothing() -> None:
    with GcsServer("bucket") as server:
        server.faults.random(5, 0.5, kinds=("lose", "reset", "cut_upload", "503"))
        for n in range(50):
            for _ in range(50):
                try:
                    path = f"/upload/storage/v1/b/bucket/o?uploadType=media&name={n}&ifGenerationMatch=0"
                    if ask(server, "POST", path, b"%d" % n)[0] in (200, 412):
                        break
                except (ConnectionError, http.client.RemoteDisconnected):
                    pass
        found = {name: stored.content for name, stored in server.buckets.of("bucket").items()}
        assert found == {str(n): b"%d" % n for n in range(50)}
        assert set(server.faults.hits) == {"lose", "reset", "cut_upload", "503"}
