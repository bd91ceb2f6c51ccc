"""What is tried again, and what never is, over every remote store."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from groupstream import GroupstreamError
from groupstream.stores import Store
from groupstream.testing import Reply

# Google's client lets go of some failed answers unread. A client waits between its attempts.
pytestmark = [pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"), pytest.mark.integration]

PASSING = [429, 500, 502, 503, 504]
LASTING = [400, 401, 403, 404, 412]
ASKS: dict[str, tuple[str, Callable[[Store], Any]]] = {
    "read": ("GET", lambda store: store.read("x")),
    "range": ("GET", lambda store: store.read("x", 2, 3)),
    "stat": ("", lambda store: store.stat("x")),  # a GET or a HEAD
    "put": ("", lambda store: store.put_if_absent("y", b"content")),  # a POST or a PUT
    "swap": ("", lambda store: store.swap("y", b"content", None)),
    "list": ("GET", lambda store: list(store.objects("")) and True),
    "delete": ("DELETE", lambda store: store.delete("x") or True),
}
OF_THE_WEB = ["read", "range", "stat"]


def asks(kinds: list[str] = ["gcs", "s3", "http"]) -> pytest.MarkDecorator:  # noqa: B006
    """Every ask of every remote store that knows it."""
    known = [(kind, ask) for kind in kinds for ask in (OF_THE_WEB if kind == "http" else ASKS)]
    return pytest.mark.parametrize(("place", "ask"), known, indirect=["place"])


def about_objects(place) -> list:
    """The requests without those by which boto3 looks for the region of a bucket that refuses."""
    return [each for each in place.server.requests if each.path.count("/") > 1 or "?" in each.path]


@asks()
@pytest.mark.parametrize("status", PASSING)
def test_what_passes_is_tried_again(place, ask: str, status: int) -> None:
    place.write("x", b"content")
    method, do = ASKS[ask]
    place.server.requests.clear()
    place.server.faults.refuse(status=status, method=method or None)
    assert do(place.store())
    assert not len(place.server.faults)
    assert len(place.server.requests) >= 2


@asks()
@pytest.mark.parametrize("status", LASTING)
def test_what_lasts_is_not_tried_again(place, ask: str, status: int) -> None:
    place.write("x", b"content")
    method, do = ASKS[ask]
    place.server.requests.clear()
    place.server.faults.refuse(times=9, status=status, method=method or None)
    told: Any = None
    try:
        told = do(place.store())
    except (GroupstreamError, FileNotFoundError) as error:
        told = error
    looks = status == 403 and ask == "put" and place.kind == "gcs"  # whether it was refused since the object is there
    assert len(about_objects(place)) == 1 + looks
    assert len(place.server.faults) >= 7
    if status == 404:
        assert isinstance(told, GroupstreamError | FileNotFoundError) or told in (None, False, True)
    elif status == 412 and ask in ("put", "swap"):
        assert told is False
    else:
        assert isinstance(told, GroupstreamError)
        assert "\n" not in str(told)


@pytest.mark.parametrize("place", ["http"], indirect=True)  # the libraries of Google and Amazon do not heed it
@pytest.mark.parametrize("status", [429, 503])
def test_who_says_when_to_come_again_is_heeded(place, status: int) -> None:
    place.write("x", b"content")
    pass_on, refused = place.server.reply, []

    def reply(*asked) -> Reply:
        if not refused:
            refused.append(asked)
            return Reply(status, headers={"Retry-After": "1"})
        return pass_on(*asked)

    place.server.reply = reply
    begun = time.monotonic()
    assert place.store().read("x") == b"content"
    assert time.monotonic() - begun >= 1
