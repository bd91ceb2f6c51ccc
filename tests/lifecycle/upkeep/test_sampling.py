"""Which versions are read again on a day."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lifecycle.sampling import due_refs, published_refs

DAY = date(2026, 1, 1)
refs = st.sets(st.integers(0, 30)).map(lambda numbers: [f"text@{number}.0.0" for number in numbers])


@given(refs, st.integers(0, 10), st.dates())
def test_all_are_due_in_turn(refs, count: int, start: date) -> None:
    start = min(start, date(9999, 1, 1))
    days = -(-len(refs) // count) if count else 0
    due = [due_refs(refs, start + timedelta(days=day), count) for day in range(days)]
    assert all(len(each) == len(set(each)) == min(count, len(refs)) for each in due)
    assert {ref for each in due for ref in each} == (set(refs) if count else set())


def test_the_same_are_due_all_day_in_whatever_order_they_are_listed() -> None:
    some = [f"text@{number}.0.0" for number in range(9)]
    assert due_refs(some, DAY, 3) == due_refs(some[::-1], DAY, 3) != due_refs(some, DAY + timedelta(days=1), 3)


def test_all_versions_that_can_be_opened_are_listed(publish, store) -> None:
    for ref in ("text@1.0.0", "text@1.1.0", "news@1.0.0"):
        publish(ref)
    assert sorted(published_refs(store)) == ["news@1.0.0", "text@1.0.0", "text@1.1.0"]
