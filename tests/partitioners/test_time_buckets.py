"""By time."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from groupstream import SpecError
from partitioners import ByTimeBuckets, ExampleIds

_NINE = 1_425_920_700  # 2015-03-09T17:05:00Z, a Monday


def _groups(values: Any, **fields: Any) -> list[str | None]:
    batch = pa.record_batch({"t": values})
    ids = ByTimeBuckets(feature="t", **fields).assign(batch, ExampleIds(0, np.arange(len(batch))))
    return ids.cast(pa.string()).to_pylist()


@pytest.mark.parametrize(
    ("bucket", "group"),
    [
        ("hour", "2015-03-09T17"),
        ("day", "2015-03-09"),
        ("week", "2015-W11"),
        ("month", "2015-03"),
        ("quarter", "2015-Q1"),
        ("year", "2015"),
    ],
)
def test_group_is_named_after_its_time(bucket: str, group: str) -> None:
    assert _groups([_NINE], bucket=bucket) == [group]
    assert _groups(["2015-03-09T17:05:00Z"], bucket=bucket) == [group]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_numbers_count_what_the_unit_says(unit: str) -> None:
    scale = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    values = pa.array([_NINE * scale, -1, 0, None], pa.int64())
    assert _groups(values, unit=unit) == ["2015-03", "1969-12", "1970-01", None]


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint8(), pa.uint32()])
def test_small_numbers_are_seconds_too(kind: pa.DataType) -> None:
    assert _groups(pa.array([100, None], kind), bucket="hour") == ["1970-01-01T00", None]


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("2015-03-09", "2015-03-09T00"),
        ("2015-03-09T17:05", "2015-03-09T17"),
        ("2015-03-09 17:05:00.123456", "2015-03-09T17"),
        ("2015-03-09T17:05:00+02:00", "2015-03-09T15"),
        ("2015-03-09T17:05:00-0030", "2015-03-09T17"),
        ("2015-03-09T17:05:00.123456789Z", "2015-03-09T17"),
        ("20150309T1705", "2015-03-09T17"),
        ("2015-W11-1", "2015-03-09T00"),
        (" 2015-03-09T23:59:59.999999\n", "2015-03-09T23"),
        ("1969-12-31T23:59:59.5Z", "1969-12-31T23"),
        ("0001-01-01", "0001-01-01T00"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23"),
        ("0001-01-01T00:00:00+01:00", None),  # before the first hour
        ("0000-01-01", None),
        ("2015-02-31", None),
        ("2015-03-09T25:00:00", None),
        ("2015-03-09T17:05:00+25:00", None),
        ("March 2015", None),
        ("1425920700", None),
        ("", None),
        ("2015", None),
    ],
)
def test_text_is_read_as_iso_8601(text: str, group: str | None) -> None:
    assert _groups([text], bucket="hour") == [group]
    assert _groups(pa.array([text.encode()]), bucket="hour") == [group]
    among = _groups(["2000-01-01", text, "2015-02-31", None, "2000-01-01T01:00:00Z"], bucket="hour")
    assert among == ["2000-01-01T00", group, None, None, "2000-01-01T01"]


@pytest.mark.parametrize("value", [10**17, -(10**17), 2**63 - 1, -(2**63)])
def test_what_is_far_from_any_year_has_no_group(value: int) -> None:
    assert _groups(pa.array([value], pa.int64()), zone="Asia/Tokyo") == [None]


def test_weeks_are_those_of_iso_8601() -> None:
    assert _groups(["2014-12-28", "2014-12-29", "2016-01-03", "2016-01-04"], bucket="week") == [
        "2014-W52",
        "2015-W01",
        "2015-W53",
        "2016-W01",
    ]


def test_the_clock_of_the_zone_decides() -> None:
    midnight = ["2015-03-31T23:30:00Z", "2015-03-31T23:30:00", "2015-12-31T23:30:00+01:00"]
    assert _groups(midnight, zone="Europe/Berlin") == ["2015-04", "2015-03", "2015-12"]
    assert _groups([_NINE], bucket="hour", zone="Asia/Kolkata") == ["2015-03-09T22"]  # half an hour off
    assert _groups([_NINE, _NINE + 40 * 86_400], bucket="hour", zone="America/New_York") == [
        "2015-03-09T13",
        "2015-04-18T13",
    ]
    assert _groups([_NINE - 40 * 86_400], bucket="hour", zone="America/New_York") == ["2015-01-28T12"]


_OFFSETS = st.none() | st.integers(-1_439, 1_439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_TIMES = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=_OFFSETS)


@settings(max_examples=200, deadline=None)
@given(st.lists(_TIMES.map(datetime.isoformat) | st.text(max_size=6), max_size=20), st.integers(0, 2))
def test_text_is_read_as_python_reads_it(texts: list[str], zone: int) -> None:
    """Whether it takes the way through Arrow or not. Zones without an offset that Python and Arrow round otherwise."""
    name = ("UTC", "Etc/GMT-5", "Etc/GMT+11")[zone]
    expected = []
    for text in texts:
        try:
            time = datetime.fromisoformat(text.strip())
            clock = time if time.tzinfo is None else time.astimezone(ZoneInfo(name))
            expected.append(f"{clock.year:04}-{clock.month:02}-{clock.day:02}T{clock.hour:02}")
        except ValueError:
            expected.append(None)
    assert _groups(pa.array(texts, pa.string()), bucket="hour", zone=name) == expected


def test_zone_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="there is no such time zone; write it such as Europe/Berlin or UTC"):
        ByTimeBuckets(feature="t", zone="Europe/Berlln")


@pytest.mark.parametrize("values", [pa.array([1.5], pa.float32()), pa.array([True])], ids=lambda v: str(v.type))
def test_what_is_neither_whole_number_nor_text_is_refused(values: pa.Array) -> None:
    with pytest.raises(SpecError, match=r"feature 't' is (float|bool), no time; name whole numbers or text"):
        _groups(values)
