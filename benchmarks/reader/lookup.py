"""One group by its id, among a million: `python -m benchmarks.reader.lookup [FOLDER]`.

1,000,000 groups of 1 to 3 examples of about 0.5 KB. 3,000 ids drawn at random, each group read and decoded by
itself; CRCs checked. Against SQLite keyed by group with the examples decoded by protobuf, and a Hugging Face
`select` of the group's rows with its id looked up in a Python dictionary. Over HTTP: a server of this machine with 2
ms added to each request, against a bare request for the same range. Opening is timed apart.
"""

from __future__ import annotations

import functools
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import groupstream
from benchmarks.arguments import parser_of, results_folder
from benchmarks.machine import versions_line
from benchmarks.reader.cases import split_of
from benchmarks.reader.make_version import make_version
from benchmarks.reader.prepare import prepare_hugging_face, prepare_sqlite
from benchmarks.reader.report import LIBRARIES, RESULTS
from benchmarks.results import Case, Ratio, keep, ratio_of, result_of
from groupstream.arrow_copy import make_arrow_copy

NAME, GROUPS, LOOKUPS = "million", 1_000_000, 3_000
LATENCY_SECONDS = 0.002
OURS, OURS_HTTP, BARE_HTTP = "groupstream", "groupstream, HTTP", "bare range request, HTTP"
RATIOS = ((OURS, "SQLite, decoded"), (OURS, "Hugging Face select"), (OURS_HTTP, BARE_HTTP))
Lookup = Callable[[bytes], Any]


class Row(NamedTuple):
    """What was found of one way to look up; None where it does not apply."""

    what: str
    groups_a_second: float
    open_seconds: float | None = None
    p50_us: float | None = None
    p99_us: float | None = None

    def __str__(self) -> str:
        """As in the table."""
        cells = [_cell(self.open_seconds, ".2f"), _cell(self.p50_us, ",.0f"), _cell(self.p99_us, ",.0f")]
        return f"| {self.what} |{''.join(cells)} {self.groups_a_second:,.0f} |"

    def cases(self) -> Iterator[Case]:
        """As in the JSON."""
        yield Case(case=self.what, figure="speed", unit="groups/s", values=(self.groups_a_second,), better="higher")
        for figure, unit, value in (
            ("opening", "s", self.open_seconds),
            ("p50", "us", self.p50_us),
            ("p99", "us", self.p99_us),
        ):
            if value is not None:
                yield Case(case=self.what, figure=figure, unit=unit, values=(value,))


def main() -> None:
    """Makes the version, times all, prints and keeps the table."""
    given = parser_of(__doc__).parse_args()
    folder = given.folder
    os.environ["GROUPSTREAM_CACHE"] = str(folder / "cache")
    draw = np.random.default_rng(0)
    make_version(folder, NAME, draw.integers(1, 4, GROUPS), 512)
    prepare_sqlite(folder, NAME)
    prepare_hugging_face(folder, NAME)
    make_arrow_copy(groupstream.open(NAME, str(folder)))
    ids = [b"group-%08d" % i for i in draw.integers(0, GROUPS, LOOKUPS)]
    rows = [*_local(folder, ids), *_over_http(folder, ids[:1000])]
    result = result_of("reader.lookup", __doc__, LIBRARIES, (c for row in rows for c in row.cases()), _ratios(rows))
    lines = [f"# lookup\n\n{result.about}\n\n{versions_line(LIBRARIES)}\n"]
    lines += ["| what | open, s | p50, us | p99, us | groups a second |", "|---|---|---|---|---|"]
    keep(result, [*lines, *map(str, rows)], results_folder(given, RESULTS))


def _local(folder: Path, ids: list[bytes]) -> Iterator[Row]:
    for name, opener in {
        "groupstream": lambda: _groupstream(folder),
        "groupstream, Arrow copy": lambda: _groupstream(folder, arrow=True),
        "SQLite, decoded": lambda: _sqlite(folder),
        "Hugging Face select": lambda: _hugging_face(folder),
        "Hugging Face slice, Arrow": lambda: _hugging_face_slice(folder),
    }.items():
        yield _row(name, *_timed(opener), ids)
    yield _batched("groupstream, `groups(ids)`, all at once", split_of(folder, NAME), ids)


def _over_http(folder: Path, ids: list[bytes]) -> Iterator[Row]:
    with _served(folder) as url:
        split = groupstream.open(f"{url}/{NAME}/1.0.0")["train"]
        yield _row(OURS_HTTP, *_timed(lambda: _reading(split)), ids)
        yield _row(BARE_HTTP, *_timed(lambda: _bare(split)), ids)
        yield _batched("groupstream, HTTP, `groups(ids)`, all at once", split, ids)


def _ratios(rows: list[Row]) -> Iterator[Ratio]:
    """Of the median times."""
    p50 = {row.what: row.p50_us for row in rows}
    for case, peer in RATIOS:
        yield ratio_of(case, peer, [p50[case] or 0.0], [p50[peer] or 0.0], figure="p50")


def _cell(value: float | None, form: str) -> str:
    return " |" if value is None else f" {value:{form}} |"


def _timed(opener: Callable[[], Lookup]) -> tuple[Lookup, float]:
    start = time.perf_counter()
    lookup = opener()
    return lookup, time.perf_counter() - start


def _row(name: str, lookup: Lookup, open_seconds: float, ids: list[bytes]) -> Row:
    for group_id in ids[:50]:
        lookup(group_id)
    took = []
    for group_id in ids[50:]:
        start = time.perf_counter()
        lookup(group_id)
        took.append(time.perf_counter() - start)
    p50, p99 = np.percentile(took, [50, 99]) * 1e6
    row = Row(name, len(took) / sum(took), open_seconds, float(p50), float(p99))
    print(row, file=sys.stderr)
    return row


def _batched(name: str, split: groupstream.Split, ids: list[bytes]) -> Row:
    start = time.perf_counter()
    assert sum(batch.num_rows for group in split.groups(ids) for batch in group.batches()) >= len(ids)
    return Row(name, len(ids) / (time.perf_counter() - start))


def _groupstream(folder: Path, **how: Any) -> Lookup:
    return _reading(split_of(folder, NAME, **how))


def _reading(split: groupstream.Split) -> Lookup:
    _ = split.index
    return lambda group_id: [batch.columns for batch in split.group(group_id).batches()]


def _bare(split: groupstream.Split) -> Lookup:
    """The range itself, its place known, nothing checked or decoded."""
    import requests

    session, table = requests.Session(), split.index

    def read(group_id: bytes) -> bytes:
        rows = table.rows(table.find([group_id]))
        start, length = int(rows.offset_bytes[0]), int(rows.length_bytes[0])
        url = f"{split.location}/{split.info.shards[rows.shard_index[0]].path}"
        return session.get(url, headers={"Range": f"bytes={start}-{start + length - 1}"}).content

    return read


def _sqlite(folder: Path) -> Lookup:
    from benchmarks.reader.cases import _example_class, _values

    database = sqlite3.connect(folder / "peers" / NAME / "groups.sqlite")
    parse = _example_class().FromString
    query = "SELECT example FROM examples WHERE group_id = ?"
    return lambda group_id: [_values(parse(example)) for (example,) in database.execute(query, (group_id,))]


def _hugging_face(folder: Path) -> Lookup:
    dataset, places = _places(folder)
    return lambda group_id: dataset.select(range(*places[group_id]))[:]


def _hugging_face_slice(folder: Path) -> Lookup:
    dataset, places = _places(folder)
    dataset = dataset.with_format("arrow")
    return lambda group_id: dataset[slice(*places[group_id])].columns


@functools.cache
def _places(folder: Path) -> tuple[Any, dict[bytes, tuple[int, int]]]:
    from benchmarks.reader.cases import _hf

    dataset, bounds = _hf(folder, NAME)
    ids = split_of(folder, NAME).group_table(["group_id"])["group_id"].to_pylist()
    return dataset, dict(zip(ids, bounds, strict=True))


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """The folder on a web server of another process, so that it does not share an interpreter with the reader."""
    command = [sys.executable, "-m", "benchmarks.reader.slow_server", str(folder), str(LATENCY_SECONDS)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.communicate()


if __name__ == "__main__":
    main()
