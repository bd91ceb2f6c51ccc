"""The ids of groups that a spec expects, from the spec itself and from a file, and which of them are missing.

The file may name as many groups as there are: of each id its hash is held (25 bytes, 50 while they are
sorted), and the file is read again for the names of a few that are missing.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from groupstream import SpecError
from groupstream.group_order import HASH_BYTES, hash_group_ids
from validation.group_checks import GroupChecks

_HASH = f"S{HASH_BYTES}"
_PART_IDS = 1 << 16
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_WHERE = "checks.groups.expected_file"


class ExpectedGroups:
    """The ids that must be there. Those that are asked for twice count once.

    Args:
        seed: the key of the group hash.

    Raises:
        SpecError: the file is missing, cannot be read, is not in UTF-8, or holds no id.
    """

    def __init__(self, checks: GroupChecks, seed: int) -> None:
        self._checks = checks
        hashes = _hashes(checks, seed)
        order = np.argsort(hashes, kind="stable")
        hashes = hashes[order]
        is_first = np.append(True, hashes[1:] != hashes[:-1])[: len(hashes)]
        self._hashes, self._first = hashes[is_first], order[is_first]
        self._is_missing = np.ones(len(self._hashes), bool)

    def __len__(self) -> int:
        return len(self._hashes)

    @property
    def num_missing(self) -> int:
        """How many have not been found yet."""
        return int(self._is_missing.sum())

    def find(self, hashes: np.ndarray) -> None:
        """Takes note of groups that are there.

        Args:
            hashes: of all groups between two hashes, ascending.
        """
        if not len(hashes):
            return
        start = int(np.searchsorted(self._hashes, hashes[0]))
        stop = int(np.searchsorted(self._hashes, hashes[-1], side="right"))
        places = np.minimum(np.searchsorted(hashes, self._hashes[start:stop]), len(hashes) - 1)
        self._is_missing[start:stop] = hashes[places] != self._hashes[start:stop]

    def missing(self, most: int) -> list[bytes]:
        """The first ids that are missing, in the order in which they are asked for. Reads the file again."""
        places = np.sort(self._first[self._is_missing])[:most].tolist()
        ids = expected_ids(self._checks)
        steps = (place - before for place, before in zip(places, [-1, *places], strict=False))
        return [next(itertools.islice(ids, step - 1, None)) for step in steps]


def _hashes(checks: GroupChecks, seed: int) -> np.ndarray:
    parts = [hash_group_ids(part, seed).reshape(-1).view(_HASH) for part in _parts(expected_ids(checks))]
    return np.concatenate([np.empty(0, _HASH), *parts])


def expected_ids(checks: GroupChecks) -> Iterator[bytes]:
    """Those of the spec, then those of the file: one a line, in UTF-8; empty lines are none.

    Raises:
        SpecError: the file is missing, cannot be read, is not in UTF-8, or holds no id.
    """
    yield from (group_id.encode() for group_id in checks.expected)
    if checks.expected_file is None:
        return
    path = Path(checks.expected_file)
    try:
        yield from _lines(path)
    except FileNotFoundError as error:
        raise SpecError(f"{_WHERE}: no file at {path}, seen from {Path.cwd()}. Give the path of a text file") from error
    except OSError as error:
        raise SpecError(f"{_WHERE}: {path} cannot be read: {error.strerror}. Give a text file") from error


def fingerprint_of_file(checks: GroupChecks) -> str | None:
    """SHA-256 of the ids in `expected_file`, whatever its path and its line ends; None where there is no file.

    Raises:
        SpecError: as `expected_ids`.
    """
    if checks.expected_file is None:
        return None
    digest = hashlib.sha256()
    for group_id in itertools.islice(expected_ids(checks), len(checks.expected), None):
        digest.update(group_id + b"\n")
    return digest.hexdigest()


def _lines(path: Path) -> Iterator[bytes]:
    is_empty = True
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            text = line.removesuffix(b"\n").removesuffix(b"\r")
            text = text.removeprefix(_BYTE_ORDER_MARK) if number == 1 else text
            _refuse_other_encodings(text, path, number)
            if text:
                is_empty = False
                yield text
    if is_empty:
        raise SpecError(f"{_WHERE}: {path} holds no id; write one a line, or leave it out")


def _refuse_other_encodings(text: bytes, path: Path, number: int) -> None:
    try:
        text.decode()
    except UnicodeDecodeError as error:
        raise SpecError(
            f"{_WHERE}: line {number:,} of {path} is not in UTF-8, from byte {error.start:,} on. Save it in UTF-8"
        ) from error


def _parts(ids: Iterable[bytes]) -> Iterator[list[bytes]]:
    rest = iter(ids)
    while part := list(itertools.islice(rest, _PART_IDS)):
        yield part
