"""Iterators that go on after an error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import groupstream
from groupstream import CorruptError
from groupstream.resumable import Resumable


class Counting(Resumable[int]):
    """Counts to 5; the first time it comes to 3, it is interrupted."""

    def __init__(self, error: BaseException) -> None:
        self._error: BaseException | None = error
        self._number = 0

    def _run(self) -> Iterator[int]:
        while self._number < 5:
            if self._number == 2 and (error := self._error):
                self._error = None
                raise error
            self._number += 1
            yield self._number


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_after_an_error_it_goes_on(error: BaseException) -> None:
    counting = Counting(error)
    found: list[int] = []
    with pytest.raises(type(error)):
        found.extend(counting)
    assert [*found, *counting] == [1, 2, 3, 4, 5]
    assert list(counting) == []


@pytest.mark.parametrize("make", [lambda s: iter(s), lambda s: s.batches(3), lambda s: iter(s.cohorts(3, seed=1))])
def test_an_index_that_cannot_be_read_is_read_again(golden_copy: Path, make: Any) -> None:
    split = groupstream.open("text", golden_copy)["train"]
    path = golden_copy / "text" / "1.0.0" / split.info.group_table.path
    content = path.read_bytes()
    expected = next(make(groupstream.open("text", golden_copy)["train"]))
    iterator = make(split)
    path.write_bytes(content[:-1])
    for _ in range(2):
        with pytest.raises(CorruptError):
            next(iterator)
    path.write_bytes(content)
    found = next(iterator)
    assert getattr(found, "id", None) == getattr(expected, "id", None)
    assert getattr(found, "group_ids", None) == getattr(expected, "group_ids", None)
    assert len(found) == len(expected)
