"""The flow that reads one version again, with a real Prefect server."""

from __future__ import annotations

import logging
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from groupstream import CorruptError, RefNotFoundError, SpecError
from specs import Spec
from tests.prefect_api import post
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


@pytest.fixture
def folder(with_server, spec_fields) -> Path:
    """Of a version."""
    from flows.build_dataset import build_dataset

    return Path(build_dataset(Spec.model_validate(spec_fields)).location)


def verify(ref: str, root: Path):
    from flows.verify_version import verify_version

    return verify_version(ref, str(root), return_state=True)


def test_a_version_is_read_whole_and_one_changed_byte_is_found(folder: Path, root: Path) -> None:
    state = verify("small@latest", root)
    assert state.is_completed(), state.message
    assert {result.passed for result in state.result()} == {True}
    shard = sorted(folder.glob("*.tfrecord"))[-1]
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.chmod(0o644)
    shard.write_bytes(content)
    failed = verify("small@1.0.0", root)
    assert failed.is_failed()
    with pytest.raises(CorruptError, match=r"small@1.0.0 in .* is not as it was written; see: groupstream verify"):
        failed.result()


def test_a_version_that_is_not_there_is_said_to_be_so(folder: Path, root: Path) -> None:
    state = verify("small@7.0.0", root)
    assert state.is_failed()
    with pytest.raises(RefNotFoundError, match=r"small@7\.0\.0 not found"):
        state.result()


@pytest.mark.parametrize("is_ref", [False, True])
def test_an_address_that_may_not_be_read_is_not_asked(with_server, monkeypatch, root: Path, is_ref: bool) -> None:
    asked: list[str] = []

    class Metadata(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET  # noqa: N815 - its name in http.server

    monkeypatch.setenv("GROUPSTREAM_ALLOWED_SOURCES", str(root))
    with HTTPServer(("127.0.0.1", 0), Metadata) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/computeMetadata"
        state = verify(f"{address}/small/1.0.0", root) if is_ref else verify("small@1.0.0", address)
        server.shutdown()
    with pytest.raises(SpecError, match=r"(ref|root) is 'http.*GROUPSTREAM_ALLOWED_SOURCES allows"):
        state.result()
    assert asked == []


def test_the_log_of_the_run_has_what_libraries_warn_of(folder: Path, with_server: str, root: Path) -> None:
    stopped = threading.Event()

    def speak() -> None:
        while not stopped.wait(0.01):
            logging.getLogger("some.library").warning("heard of verify")

    speaker = threading.Thread(target=speak)
    speaker.start()
    state = verify("small", root)
    stopped.set()
    speaker.join()
    run = {"logs": {"flow_run_id": {"any_": [str(state.state_details.flow_run_id)]}}}

    def is_said() -> bool:
        return "heard of verify" in {line["message"] for line in post(with_server, "logs/filter", run)}

    wait_until(is_said, "heard")  # lines are sent in the background


def test_a_path_is_a_ref_too(folder: Path, root: Path) -> None:
    state = verify(str(folder), root)
    assert state.is_completed(), state.message


def test_why_it_failed_says_no_secret(folder: Path, root: Path, monkeypatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "small@7.0.0")
    state = verify("small@7.0.0", root)
    assert "RefNotFoundError: *** not found" in state.message
