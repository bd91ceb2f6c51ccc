"""Clients to packed cohorts: `python -m benchmarks.training.data ROOT [REF]`.

Cohorts of 64 articles of wiki_en2015 by title (the spec is tests/shared_specs/wiki_en2015.yaml), read from the disk,
tokenised and packed as in Charles et al. 2023: 64 steps of 16 sequences of 128 tokens a client, a shorter client
repeated. Against the library `tokenizers` alone, which encodes the same texts, that lie in memory already, in one call,
and makes nothing of them. Cases run in turns; a ratio is the median of the ratios of the same turn, of seconds and of
seconds of all cores: below 1 is less than the library alone. Tokens are counted once, however often a client is
repeated.
"""

from __future__ import annotations

import argparse
import functools
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import tokenizers

import groupstream
from benchmarks.arguments import add_results, results_folder
from benchmarks.machine import versions_line
from benchmarks.results import Case as Figure
from benchmarks.results import Ratio, keep, ratio_of, result_of
from groupstream.cohorts import Cohorts
from training.data.packing import CohortPacker, Packing
from training.data.prefetch import prefetch, rounds
from training.data.text import TextForm
from training.data.text_features import choose_text_features
from training.data.tokenizer import Kind, Tokenizer
from training.data.tokenizer_training import train_tokenizer

RESULTS = Path(__file__).parent / "results"
TURNS = 3
COHORT_SIZE = 64
ROUNDS = 3
PACKING = Packing(num_steps=64, batch_size=16)
KINDS: tuple[Kind, ...] = ("bytes", "bpe", "wordpiece")
_LIBRARIES = ("numpy", "pyarrow", "tokenizers")


class Case(NamedTuple):
    """What is run, and how long each turn took: on the clock, and on all cores together."""

    name: str
    run: Callable[[], object]
    seconds: list[float]
    cpu_seconds: list[float]


def main() -> None:
    """Trains the tokenizers, runs all, prints and keeps the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", help="of the datasets")
    parser.add_argument("ref", nargs="?", default="wiki-en2015")
    add_results(parser)
    given = parser.parse_args()
    dataset = groupstream.open(given.ref, given.root)
    features = choose_text_features(dataset)
    stream = dataset["train"].select(*features)
    cohorts = stream.cohorts(COHORT_SIZE, seed=0)
    texts = [text for number in range(ROUNDS) for group in cohorts[number] for text in group.table()[0].to_pylist()]
    figures: list[Figure] = []
    ratios: list[Ratio] = []
    lines = [
        "# data",
        "",
        (__doc__ or "").strip(),
        "",
        versions_line(_LIBRARIES),
        "",
        f"{len(texts)} texts, {sum(map(len, texts)) / 1e6:.1f} million letters.",
        "",
        "| tokenizer | tokens | packed, tokens/s | ahead on 2 threads | library alone | packed / alone | all cores "
        "| ahead / alone | all cores |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for kind in KINDS:
        tokenizer = train_tokenizer(stream, features, kind, max_text_bytes=4 << 20)
        cases, num_tokens = _measured(tokenizer, features, cohorts, texts)
        figures += [_figure(tokenizer, case, num_tokens) for case in cases]
        ratios += _ratios(tokenizer, cases)
        lines.append(_row(tokenizer, cases, num_tokens))
    packer = CohortPacker(TextForm(train_tokenizer(stream, features, "bytes"), features, 128), PACKING, COHORT_SIZE)
    held = sum(array.nbytes for array in packer(cohorts[0]).cohort.batches.values())
    lines += ["", f"A packed cohort is {held / 1e6:.0f} MB."]
    keep(result_of("training.data", __doc__, _LIBRARIES, figures, ratios), lines, results_folder(given, RESULTS))


def _measured(
    tokenizer: Tokenizer, features: tuple[str, ...], cohorts: Cohorts, texts: list[str]
) -> tuple[list[Case], int]:
    """The cases, with the seconds of each turn, and the number of tokens."""
    packer = CohortPacker(TextForm(tokenizer, features, 128), PACKING, COHORT_SIZE)
    library = tokenizers.Tokenizer.from_str(tokenizer.content)
    cases = [
        Case("packed", functools.partial(_pack, packer, cohorts), [], []),
        Case("ahead", functools.partial(_pack_ahead, packer, cohorts), [], []),
        Case("alone", functools.partial(library.encode_batch, texts), [], []),
    ]
    num_tokens = sum(len(encoding.ids) for encoding in library.encode_batch(texts))
    for turn in range(TURNS):
        for case in random.Random(turn).sample(cases, len(cases)):
            start, cpu_start = time.perf_counter(), time.process_time()
            case.run()
            case.seconds.append(time.perf_counter() - start)
            case.cpu_seconds.append(time.process_time() - cpu_start)
            print(
                f"{tokenizer.kind}, turn {turn + 1} of {TURNS}: {case.name} {case.seconds[-1]:.2f} s", file=sys.stderr
            )
    return cases, num_tokens


def _figure(tokenizer: Tokenizer, case: Case, num_tokens: int) -> Figure:
    speeds = tuple(num_tokens / seconds for seconds in case.seconds)
    return Figure(
        case=f"{tokenizer.kind}: {case.name}", figure="speed", unit="tokens/s", values=speeds, better="higher"
    )


def _ratios(tokenizer: Tokenizer, cases: list[Case]) -> list[Ratio]:
    """Of seconds and of seconds of all cores, packed and ahead, to the library alone."""
    *ours, alone = cases
    return [
        ratio_of(f"{tokenizer.kind}: {case.name}", "the library alone", *values, figure=figure)
        for case in ours
        for figure, values in {
            "time": (case.seconds, alone.seconds),
            "time of all cores": (case.cpu_seconds, alone.cpu_seconds),
        }.items()
    ]


def _row(tokenizer: Tokenizer, cases: list[Case], num_tokens: int) -> str:
    rates = " | ".join(f"{num_tokens / median(case.seconds) / 1e3:,.0f} k" for case in cases)
    ratios = " | ".join(f"{ratio.median:.2f}" for ratio in _ratios(tokenizer, cases))
    return f"| {tokenizer.kind}, {tokenizer.vocab_size:,} ids | {num_tokens:,} | {rates} | {ratios} |"


def _pack(packer: CohortPacker, cohorts: Cohorts) -> None:
    for number in range(ROUNDS):
        packer(cohorts[number])


def _pack_ahead(packer: CohortPacker, cohorts: Cohorts) -> None:
    with prefetch(rounds(cohorts, 0, ROUNDS), packer, num_ahead=2, num_threads=2) as ahead:
        for _ in ahead:
            pass


if __name__ == "__main__":
    main()
