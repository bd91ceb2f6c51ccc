"""Checks of groups."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import Any

import pyarrow as pa
import pytest

from groupstream.group_table import SCHEMA
from groupstream.manifest import CheckResult
from validation import GroupChecks
from validation.groups import check_groups


def _table(*sizes: int, **columns: Any) -> pa.Table:
    count = range(len(sizes))
    fields = {name: [1] * len(sizes) for name in SCHEMA.names} | {
        "group_id": [b"g%d" % i for i in count],
        "group_hash": [i.to_bytes(16, "big") for i in count],
        "num_examples": list(sizes),
    }
    return pa.table(fields | columns, schema=SCHEMA)


def _check(table: pa.Table, **limits: Any) -> dict[str, CheckResult]:
    return {result.name: result for result in check_groups(GroupChecks(**limits), table)}


_COUNT, _UNIQUE, _SIZES, _SHARE = (
    "number of groups",
    "group ids are unique",
    "examples per group",
    "share of the largest group",
)


def test_good_groups_pass_every_check() -> None:
    found = _check(
        _table(2, 3, 5), min_groups=3, max_groups=3, min_examples=2, max_examples=5, max_share_of_largest=0.5
    )
    assert list(found) == [_COUNT, _UNIQUE, _SIZES, _SHARE]
    assert all(result.passed and not result.offenders for result in found.values())
    assert [result.observed for result in found.values()] == ["3", "0 twice", "2 to 5", "0.500"]


@pytest.mark.parametrize(
    ("table", "limits", "name", "limit", "observed", "offenders"),
    [
        (_table(1, 2, 3), {"min_groups": 4}, _COUNT, "at least 4", "3", ()),
        (_table(1, 2, 3), {"max_groups": 2}, _COUNT, "at least 1, at most 2", "3", ()),
        (_table(), {}, _COUNT, "at least 1", "0", ()),
        (_table(5, 1, 2), {"min_examples": 3}, _SIZES, "at least 3", "1 to 5", ("'g1' with 1", "'g2' with 2")),
        (
            _table(5, 1, 9),
            {"max_examples": 4},
            _SIZES,
            "at least 1, at most 4",
            "1 to 9",
            ("'g2' with 9", "'g0' with 5"),
        ),
        (_table(2, 5, 3), {"max_share_of_largest": 0.4}, _SHARE, "at most 0.4", "0.500", ("'g1' with 5",)),
        (
            _table(1200),
            {"max_examples": 1000},
            _SIZES,
            "at least 1, at most 1,000",
            "1,200 to 1,200",
            ("'g0' with 1,200",),
        ),
    ],
)
def test_check_fails_on_groups_that_break_it(
    table: pa.Table, limits: dict[str, Any], name: str, limit: str, observed: str, offenders: tuple[str, ...]
) -> None:
    found = _check(table, **limits)
    assert [result.name for result in found.values() if not result.passed] == [name]
    assert (found[name].limit, found[name].observed) == (limit, observed)
    assert found[name].offenders == tuple(f"{offender} examples" for offender in offenders)


def test_group_that_is_there_twice_fails() -> None:
    table = _table(1, 2, 3, group_hash=[b"a" * 16, b"b" * 16, b"a" * 16], group_id=[b"x", b"\xff", b"x"])
    found = _check(table)[_UNIQUE]
    assert (found.passed, found.observed) == (False, "1 twice")
    assert found.offenders == ("'x' with 1 examples", "'x' with 3 examples")


def test_offenders_are_five_at_most_and_group_ids_need_be_no_text() -> None:
    found = _check(_table(*range(1, 9), group_id=[b"\xff"] * 8), min_examples=9)[_SIZES]
    assert len(found.offenders) == 5
    assert "xff' with 1 examples" in found.offenders[0]


def test_no_groups_may_be_enough() -> None:
    found = _check(_table(), min_groups=0, min_examples=5, max_share_of_largest=0.1)
    assert all(result.passed for result in found.values())
    assert found[_SIZES].observed == "no group"


@pytest.mark.parametrize("what", ["groups", "examples"])
def test_limits_that_nothing_could_meet_are_refused(what: str) -> None:
    with pytest.raises(ValueError, match=f"min_{what} 3 is above max_{what} 2, so nothing could pass"):
        GroupChecks.model_validate({f"min_{what}": 3, f"max_{what}": 2})


def test_great_expectations_stays_off_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError(f"opened a socket: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    _check(_table(1, 2))
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"


_SCRIPT = """
import socket, sys
socket.getaddrinfo = lambda *args: print("called", args, file=sys.stderr)
import pyarrow as pa
from groupstream.group_table import SCHEMA
from validation import GroupChecks
from validation.groups import check_groups

fields = {name: [1] for name in SCHEMA.names} | {"group_id": [b"g"], "group_hash": [bytes(16)]}
assert not check_groups(GroupChecks(min_groups=9), pa.table(fields, schema=SCHEMA))[0].passed
"""


def test_checking_groups_prints_nothing_and_calls_nowhere() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GX_")}
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, env=environment, check=True)
    assert (done.stdout, done.stderr) == ("", "")
