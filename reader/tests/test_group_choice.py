"""Choosing groups, against plain Python over the whole table."""

from __future__ import annotations

import pyarrow as pa
import pytest

from groupstream import group_choice
from groupstream.group_choice import Choice

NUM_GROUPS = 2_000
TABLE = pa.table(
    {
        "group_id": pa.array([f"g{i * 7919 % NUM_GROUPS:04d}".encode() + b"\xff" for i in range(NUM_GROUPS)]),
        "num_examples": pa.array([1 + i * i % 13 for i in range(NUM_GROUPS)]),
        "num_bytes": pa.array([i * 31 % 101 for i in range(NUM_GROUPS)]),
    }
)
ROWS = [{**row, "position": i} for i, row in enumerate(TABLE.to_pylist())]
KEYS = {
    "stored": lambda row: row["position"],
    "size": lambda row: (-row["num_examples"], -row["num_bytes"], row["position"]),
    "id": lambda row: row["group_id"],
}


@pytest.mark.parametrize("order", KEYS)
@pytest.mark.parametrize("limit", [1, 7, 150, NUM_GROUPS, 10 * NUM_GROUPS, None])
@pytest.mark.parametrize("bounds", [(0, None, b""), (4, 9, b""), (2, 2, b"g1"), (0, None, b"7\xff"), (99, None, b"")])
def test_a_choice_is_that_of_the_whole_table(
    order: group_choice.Order, limit: int | None, bounds: tuple[int, int | None, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_choice, "_MIN_WAITING_ROWS", 100)
    least, most, like = bounds
    expected = [
        row
        for row in sorted(ROWS, key=KEYS[order])
        if least <= row["num_examples"] <= (most or 10**9) and like in row["group_id"]
    ]
    choice = Choice(least, most, like, order, limit)
    assert choice.of(TABLE.to_batches(max_chunksize=64)).to_pylist() == expected[:limit]


def test_the_first_groups_are_chosen_without_reading_on() -> None:
    batches = iter(TABLE.to_batches(max_chunksize=64))
    assert len(Choice(limit=10).of(batches)) == 10
    assert len(list(batches)) == -(-NUM_GROUPS // 64) - 1


def test_nothing_can_be_chosen_from() -> None:
    assert Choice(order="size").of([]).num_rows == 0
