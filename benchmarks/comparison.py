"""The page of the documentation that compares with peers: what they have, and what was measured beside them.

Features are as their documentation and code have them; every number comes from the JSON of a benchmark. See
scripts/render_benchmarks.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median

from benchmarks.formats.formats import OURS as STREAMED
from benchmarks.numbers import three_digits
from benchmarks.pipeline.sort_peers import TURNS as SORTED
from benchmarks.results import Case, Result

_HEAD = """\
# Compared with others

<!-- Written by scripts/render_benchmarks.py from benchmarks/**/results/*.json: change those, or the script. -->

What others have for datasets of groups, and how fast it is. First what they can do, by their documentation and their
code; then what was measured on one machine, on the same bytes, in turns. [Benchmarks](benchmarks.md) has the machine,
the versions, the spread, and how to do it again; `benchmarks/peers` has what is installed for each. *Times as good* is
above one where ours is better: faster, or with less memory.

**Which one to take.** *Flower*, *FedJAX* and *TFF* are frameworks for federated learning with datasets beside: take
theirs where these hold what you need and fit. *LEAF* is a set of small benchmarks. *Hugging Face datasets* and *Mosaic
Streaming* hold examples, not groups: take them where groups do not matter. *Dataset Grouper* came first with groups at
scale; [a page](from-dataset-grouper.md) says what each of its calls becomes here.
"""

PEERS = ("Dataset Grouper", "FedJAX", "TFF", "Flower Datasets", "LEAF", "Hugging Face datasets", "Mosaic Streaming")

# What: who has it. A text says more than yes.
FEATURES: Mapping[str, Mapping[str, str]] = {
    "a partition function of one's own, run by a cluster": {"Dataset Grouper": "yes, with Beam"},
    "partitioners that are ready, natural and synthetic": {"Flower Datasets": "yes"},
    "the same partition on any worker, in any order, after a retry": {},
    "the id of a group is kept": {
        "Dataset Grouper": "no",
        **dict.fromkeys(("FedJAX", "TFF", "Flower Datasets", "LEAF"), "yes"),
        "Hugging Face datasets": "as any column",
    },
    "one group by its id": {
        "Dataset Grouper": "no",
        **dict.fromkeys(("FedJAX", "TFF", "Flower Datasets"), "yes"),
        "LEAF": "in memory",
    },
    "a group larger than memory, with nothing lost": {
        "Dataset Grouper": "no: what is too much goes without a word",
        "FedJAX": "no",
        "TFF": "yes",
    },
    "every example accounted for": {},
    "a stream that resumes": {
        "FedJAX": "by round",
        "Hugging Face datasets": "without what its shuffle buffer held",
        "Mosaic Streaming": "yes",
    },
    "streams from a bucket": {
        "Dataset Grouper": "by tf.data",
        **dict.fromkeys(("Hugging Face datasets", "Mosaic Streaming"), "yes"),
    },
    "statistics of groups": {
        "Dataset Grouper": "as CSV without quotes",
        **dict.fromkeys(("Flower Datasets", "LEAF"), "yes"),
    },
    "pictures of a partition": dict.fromkeys(("Flower Datasets", "LEAF"), "yes"),
    "checks of examples and of group sizes in the build": {},
    "versions that know their groups, their rule and what was dropped": {"Hugging Face datasets": "of files only"},
    "federated algorithms": {"FedJAX": "yes", "TFF": "yes", "Flower Datasets": "in Flower", "LEAF": "FedAvg"},
    "losses of groups before and after personalization, tied to a version": {},
}


@dataclass(frozen=True)
class Row:
    """Two cases of a benchmark beside each other.

    Attributes:
        peer: whose case `theirs` is.
        doing: in words.
    """

    peer: str
    doing: str
    benchmark: str
    ours: str
    theirs: str
    figure: str = "time"


_BUILD, _SORT = "pipeline.dataset_grouper_build", "pipeline.sort_peers"
_FORMATS = {  # by peer: what it does, and its case
    "LEAF": ("all groups, each text handed over; theirs from memory", "dictionary of lists"),
    "TFF": ("all groups; theirs by id from HDF5", "HDF5 as TFF has it"),
    "FedJAX": ("all groups; theirs by id from SQLite", "FedJAX, SQLite"),
    "Flower Datasets": ("all groups", "Flower Datasets"),
    "Mosaic Streaming": ("all groups", "Mosaic Streaming"),
    "Hugging Face datasets": ("all groups, sliced", "Hugging Face, sliced"),
    "Dataset Grouper": ("all groups", "Dataset Grouper"),
}

ROWS: Mapping[str, tuple[Row, ...]] = {
    "Partition and write": (
        *(
            Row("Dataset Grouper", "from TFDS", _BUILD, "groupstream", "dataset_grouper", figure)
            for figure in ("time", "memory")
        ),
        *(
            Row("DuckDB", f"sort {source}", _SORT, f"groupstream, {source}", f"duckdb, {source}", figure)
            for source in SORTED
            for figure in ("time", "memory")
        ),
    ),
    "Read all groups": (
        Row("Dataset Grouper", "group by group", "reader.iterate", "stored", "dg_groups"),
        Row("Dataset Grouper", "flat", "reader.iterate", "stored", "dg_flat"),
        Row("Hugging Face datasets", "as Arrow; ours as a copy in Arrow", "reader.iterate", "arrow_copy", "hf_arrow"),
        Row("Hugging Face datasets", "as Python's own", "reader.iterate", "to_python", "hf_python"),
        Row("SQLite", "group by group", "reader.iterate", "stored", "sqlite"),
    ),
    "Read all groups, at the largest size that both were read at": tuple(
        Row(peer, doing, "formats", STREAMED, case, figure)
        for peer, (doing, case) in _FORMATS.items()
        for figure in ("time", "memory")
    ),
    "One group by its id": (
        Row("Hugging Face datasets", "select", "reader.lookup", "groupstream", "Hugging Face select", "p50"),
        Row("SQLite", "decoded", "reader.lookup", "groupstream", "SQLite, decoded", "p50"),
    ),
    "Until anything happens": (
        Row("Hugging Face datasets", "import", "reader.imports", "import groupstream", "import datasets"),
        Row("TensorFlow", "import", "reader.imports", "import groupstream", "import tensorflow"),
    ),
}


def comparison(results: Mapping[str, Result]) -> str:
    """The page in Markdown.

    Args:
        results: by the name of the benchmark, those that there are.
    """
    lines = [_HEAD, *_features()]
    for title, rows in ROWS.items():
        lines += _table(title, rows, results)
    return "\n".join(lines).rstrip("\n") + "\n"


def _features() -> Iterator[str]:
    yield "## What they have\n"
    yield "groupstream has every line of this table. Looked at were, by documentation and code,"
    yield f"{', '.join(PEERS[:-1])} and {PEERS[-1]}; whom a line does not name was not found to have it.\n"
    yield "| | who else has it | who has not |"
    yield "|---|---|---|"
    for what, who in FEATURES.items():
        those = [_named(peer, who[peer]) for peer in PEERS if peer in who and not _is_no(who[peer])]
        others = [_named(peer, who[peer]) for peer in PEERS if peer in who and _is_no(who[peer])]
        yield f"| {what} | {', '.join(those) or 'none of these'} | {', '.join(others)} |"
    yield ""


def _is_no(said: str) -> bool:
    return said.partition(":")[0] == "no"


def _named(peer: str, said: str) -> str:
    """The peer, with what is more than yes or no."""
    more = said.removeprefix("yes").removeprefix("no").strip(",: ")
    return f"{peer} ({more})" if more else peer


def _table(title: str, rows: tuple[Row, ...], results: Mapping[str, Result]) -> Iterator[str]:
    yield f"## {title}\n"
    yield "| beside | doing | | groupstream | theirs | times as good | examples | from |"
    yield "|---|---|---|---:|---:|---:|---:|---|"
    for row in rows:
        link = f"[{row.benchmark}](benchmarks.md#{row.benchmark.replace('.', '')})"
        cells = " | ".join(_measured(row, results.get(row.benchmark)))
        yield f"| {row.peer} | {row.doing} | {row.figure} | {cells} | {link} |"
    yield ""


def _measured(row: Row, result: Result | None) -> tuple[str, str, str, str]:
    """What was found of ours and of theirs, how they compare, and at which size; or that it was not measured."""
    found = pair_of(row, result) if result is not None else None
    if found is None:
        return ("not measured", "not measured", "", "")
    ours, theirs = found
    size = "" if ours.at is None else f"{ours.at:,.0f}"
    return (_shown(ours), _shown(theirs), three_digits(times_as_good(ours, theirs)), size)


def pair_of(row: Row, result: Result) -> tuple[Case, Case] | None:
    """Both cases, at the largest size that both have; None where one is missing."""
    ours, theirs = (
        {case.at: case for case in result.cases if (case.case, case.figure) == (name, row.figure)}
        for name in (row.ours, row.theirs)
    )
    sizes = sorted(ours.keys() & theirs.keys(), key=lambda at: at or 0)
    return (ours[sizes[-1]], theirs[sizes[-1]]) if sizes else None


def times_as_good(ours: Case, theirs: Case) -> float:
    """Turn by turn where both have the same turns, else of the medians; above 1, ours is better."""
    pairs = list(zip(ours.values, theirs.values, strict=False))
    if len(ours.values) != len(theirs.values):
        pairs = [(ours.median, theirs.median)]
    return median(b / a if ours.better == "lower" else a / b for a, b in pairs)


def _shown(case: Case) -> str:
    return f"{three_digits(case.median)} {case.unit}"
