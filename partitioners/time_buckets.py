"""By time: all examples of a month, or of another length of time, are a group."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ConfigDict, Field, field_validator

from groupstream import SpecError
from partitioners.keys import as_text, key_bytes
from partitioners.partitioner import ExampleIds, RulePartitioner
from partitioners.words import quoted

_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # in a second
_FORMATS = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m", "year": "%Y"}
_HOUR, _DAY = 3_600, 86_400
_FIRST, _LAST = -62_135_596_800, 253_402_300_799  # seconds of the years 1 to 9999


class ByTimeBuckets(RulePartitioner):
    """One group for each hour, day, week, month, quarter or year of a time stamp, by the clock of a time zone.

    Group ids sort by time: 2015-03-09T17, 2015-03-09, 2015-W11 (weeks of ISO 8601), 2015-03, 2015-Q1, 2015. What
    cannot be read as a time, or lies outside of the years 1 to 9999, has no group.

    Source: partitions by time as Wild-Time's (Yao et al. 2022, "Wild-Time: A Benchmark of in-the-Wild Distribution
    Shift over Time"), which takes the year or month that a dataset comes with; ours computes it from a time stamp.
    """

    model_config = ConfigDict(title="Time")

    kind: Literal["time_buckets"] = "time_buckets"
    feature: str = Field(
        description="The feature that holds the time: a whole number since 1970, or text such as 2015-03-09T17:05:00Z."
    )
    bucket: Literal["hour", "day", "week", "month", "quarter", "year"] = Field(
        "month", description="The length of time that a group covers."
    )
    unit: Literal["s", "ms", "us", "ns"] = Field(
        "s", description="What numbers count: seconds (s) to nanoseconds (ns)."
    )
    zone: str = Field(
        "UTC",
        description="The time zone whose clock decides, such as Europe/Berlin. Text without offset is of it.",
    )

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, zone: str) -> str:
        try:
            _local_seconds(np.zeros(1, np.int64), zone)
        except pa.ArrowException as error:
            raise ValueError("there is no such time zone; write it such as Europe/Berlin or UTC") from error
        return zone

    @property
    def in_words(self) -> str:
        """See `Partitioner.in_words`."""
        return f"One group for each {self.bucket} of {quoted(self.feature)}, by the clock of {self.zone}."

    @property
    def reads(self) -> frozenset[str]:
        """See `Partitioner.reads`."""
        return frozenset([self.feature])

    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        """See `Rule.assign`."""
        column = batch.column(self.feature)
        if pa.types.is_integer(column.type):
            seconds = pc.fill_null(column, 0).to_numpy(zero_copy_only=False).astype(np.int64) // _UNITS[self.unit]
            clock = _clock(seconds, np.ones(len(column), bool), self.zone)
            is_time = column.is_valid().to_numpy(zero_copy_only=False)
        elif pa.types.is_boolean(column.type) or pa.types.is_floating(column.type):
            raise SpecError(
                f"partitioner: feature {self.feature!r} is {column.type}, no time; name whole numbers or text"
            )
        else:
            coded = key_bytes(column, self.feature).dictionary_encode()
            return self._ids(*_clock_of_text(as_text(coded.dictionary), self.zone)).take(coded.indices)
        return self._ids(clock, is_time)

    def _ids(self, clock: np.ndarray, is_time: np.ndarray) -> pa.Array:
        """The buckets of seconds that a clock shows."""
        seconds = _HOUR if self.bucket == "hour" else _DAY
        is_time = is_time & (clock >= _FIRST) & (clock <= _LAST)
        found, places = np.unique(np.where(is_time, clock, 0) // seconds, return_inverse=True)
        times = pa.array(found * seconds, pa.timestamp("s"))
        return _names(times, self.bucket).cast(pa.binary()).take(pa.array(places.reshape(-1), mask=~is_time))


def _names(times: pa.Array, bucket: str) -> pa.Array:
    if bucket != "quarter":
        return pc.strftime(times, format=_FORMATS[bucket])
    quarters = pc.quarter(times).cast(pa.string())
    return pc.binary_join_element_wise(pc.strftime(times, format="%Y"), quarters, "-Q")


def _local_seconds(seconds: np.ndarray, zone: str) -> np.ndarray:
    """What the clock of a zone shows at seconds since 1970 in UTC, as seconds since it showed the start of 1970."""
    times = pa.array(seconds, pa.timestamp("s", tz=zone))
    return pc.local_timestamp(times).cast(pa.int64()).to_numpy(zero_copy_only=False)


def _clock(seconds: np.ndarray, is_utc: np.ndarray, zone: str) -> np.ndarray:
    """int64[n]: seconds by the clock of the zone, of seconds that are UTC or already of that clock."""
    bounded = np.clip(seconds, _FIRST - 2 * _DAY, _LAST + 2 * _DAY)  # what is beyond stays beyond
    return np.where(is_utc, _local_seconds(bounded, zone), bounded)


# What Arrow parses as Python does; the rest is left to Python.
_DATE = r"^\d{4}-\d{2}-\d{2}"
_LOCAL = (_DATE + r"([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?$", pa.timestamp("us"))
_WITH_OFFSET = (_DATE + r"[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})$", pa.timestamp("us", tz="UTC"))


def _clock_of_text(texts: pa.Array, zone: str) -> tuple[np.ndarray, np.ndarray]:
    """int64[n] seconds by the clock of the zone, bool[n] whether the text is a time at all."""
    texts = pc.utf8_trim_whitespace(texts)
    seconds, is_utc, is_time = np.zeros(len(texts), np.int64), np.zeros(len(texts), bool), np.zeros(len(texts), bool)
    for pattern, form in (_LOCAL, _WITH_OFFSET):
        chosen = pc.fill_null(pc.match_substring_regex(texts, pattern), False)
        try:
            micros = texts.filter(chosen).cast(form).cast(pa.int64()).to_numpy()
        except pa.ArrowInvalid:  # such as 31 February
            continue
        places = chosen.to_numpy(zero_copy_only=False)
        seconds[places], is_utc[places], is_time[places] = micros // 10**6, form.tz is not None, True
    for i in np.flatnonzero(~is_time).tolist():
        if (found := _parse(texts[i].as_py())) is not None:
            is_utc[i], is_time[i] = found.tzinfo is not None, True
            seconds[i] = int((found.replace(tzinfo=found.tzinfo or UTC) - _EPOCH).total_seconds() // 1)
    return _clock(seconds, is_utc, zone), is_time


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _parse(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text or "")
    except ValueError:
        return None
