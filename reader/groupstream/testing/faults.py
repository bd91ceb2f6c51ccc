"""What goes wrong on a network, on request or at random.

- `refuse`: an error instead of an answer: 429, 500, 503. Nothing is done.
- `reset`: the connection is reset (RST) before the request is read. Nothing is done.
- `lose`: the request is carried out, and the connection ends before the answer.
- `cut`: the connection ends in the middle of the body of the answer.
- `slow`: the body of the answer dribbles.
- `cut_upload`: the connection is reset in the middle of the body of the request.
- `keep_part`: the server keeps half of a block that is uploaded, and says so.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

REFUSALS = ("429", "500", "503")
KINDS = (*REFUSALS, "reset", "lose", "cut", "slow", "cut_upload", "keep_part")

_UPLOADS = frozenset({"POST", "PUT"})
_METHODS = {"cut": frozenset({"GET"}), "cut_upload": _UPLOADS, "keep_part": frozenset({"PUT"})}
_UPLOAD_ID = re.compile(r"(?i)upload_?id=[^&]*")  # servers count them: they say nothing of the request
_RANDOM_SLOWNESS_SECONDS = 0.02


class Fault(NamedTuple):
    """One thing that goes wrong with one request.

    Attributes:
        method: of the request that it waits for; None: any.
        path: a pattern that is searched for in the path of the request, with its query; None: any.
        seconds: that the body of a slow answer takes.
    """

    kind: str
    method: str | None = None
    path: str | None = None
    status: int = 0
    body: bytes = b""
    headers: Mapping[str, str] = MappingProxyType({})
    seconds: float = 0.0

    def waits_for(self, method: str, path: str) -> bool:
        """Whether it hits such a request."""
        return self.method in (None, method) and (self.path is None or re.search(self.path, path) is not None)


class Faults:
    """Faults that wait for requests. Each hits one request, the first one after it of its method and path.

    Attributes:
        hits: how many of each kind there were.
    """

    def __init__(self) -> None:
        self.hits: Counter[str] = Counter()
        self._waiting: deque[Fault] = deque()
        self._dice: _Dice | None = None
        self._lock = threading.Lock()

    def refuse(
        self,
        times: int = 1,
        status: int = 503,
        method: str | None = None,
        body: bytes = b"",
        path: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        """The next requests are answered with an error, and nothing is done.

        Args:
            retry_after: the seconds in the header Retry-After.
        """
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self._waiting.extend([Fault("refuse", method, path, status, body, headers)] * times)

    def reset(self, times: int = 1, method: str | None = None, path: str | None = None) -> None:
        """The connections of the next requests are reset, and nothing is done."""
        self._waiting.extend([Fault("reset", method, path)] * times)

    def lose(self, times: int = 1, method: str | None = None, path: str | None = None) -> None:
        """The next requests are carried out, and the connection ends before the answer."""
        self._waiting.extend([Fault("lose", method, path)] * times)

    def cut(self, times: int = 1, method: str | None = "GET", path: str | None = None) -> None:
        """The connection ends in the middle of the body of the next answers."""
        self._waiting.extend([Fault("cut", method, path)] * times)

    def slow(self, times: int = 1, seconds: float = 1.0, method: str | None = None, path: str | None = None) -> None:
        """The bodies of the next answers take so long, a little at a time."""
        self._waiting.extend([Fault("slow", method, path, seconds=seconds)] * times)

    def cut_upload(self, times: int = 1, method: str | None = None, path: str | None = None) -> None:
        """The connection is reset in the middle of the body of the next requests. What came is not carried out."""
        self._waiting.extend([Fault("cut_upload", method, path)] * times)

    def keep_part(self, times: int = 1, method: str | None = "PUT", path: str | None = None) -> None:
        """Of the next blocks that are uploaded half is kept, and the answer says so, as Google's may."""
        self._waiting.extend([Fault("keep_part", method, path)] * times)

    def random(self, seed: int, rate: float, kinds: Iterable[str] = KINDS, path: str | None = None) -> None:
        """From now on each request meets a fault with the probability `rate`, until `calm`.

        What a request meets is a function of the seed, its method, its path, and of how many like it came before: the
        order in which threads come plays no part.

        Args:
            kinds: those that are drawn from, of `KINDS`.
            path: a pattern; only requests whose path has it.
        """
        self._dice = _Dice(seed, rate, tuple(kinds), path)

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        self._dice = None
        self._waiting.clear()

    def take(self, method: str, path: str = "") -> Fault | None:
        """The fault of this request, which is then spent."""
        with self._lock:
            fault = next((each for each in self._waiting if each.waits_for(method, path)), None)
            if fault:
                self._waiting.remove(fault)
            elif self._dice:
                fault = self._dice.throw(method, path)
            if fault:
                self.hits[str(fault.status) if fault.kind == "refuse" else fault.kind] += 1
            return fault

    def __len__(self) -> int:
        """How many still wait."""
        return len(self._waiting)


class _Dice:
    """Faults at random."""

    def __init__(self, seed: int, rate: float, kinds: tuple[str, ...], path: str | None) -> None:
        self._seed, self._rate, self._kinds, self._path = seed, rate, kinds, path
        self._seen: Counter[tuple[str, str]] = Counter()

    def throw(self, method: str, path: str) -> Fault | None:
        if self._path is not None and not re.search(self._path, path):
            return None
        path = _UPLOAD_ID.sub("", path)
        self._seen[method, path] += 1
        name = f"{self._seed} {method} {path} {self._seen[method, path]}"
        digest = hashlib.sha256(name.encode()).digest()
        kinds = [kind for kind in self._kinds if method in _METHODS.get(kind, {method})]
        if not kinds or int.from_bytes(digest[:8], "big") / 2**64 >= self._rate:
            return None
        kind = kinds[int.from_bytes(digest[8:12], "big") % len(kinds)]
        if kind in REFUSALS:
            return Fault("refuse", status=int(kind), headers={"Retry-After": "0"} if kind == "429" else {})
        return Fault(kind, seconds=_RANDOM_SLOWNESS_SECONDS)
