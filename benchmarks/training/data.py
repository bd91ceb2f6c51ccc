"""Clients to packed cohorts: `python -m benchmarks.training.data ROOT [REF]`.

Cohorts of 64 articles of wiki_en2015 by title (the spec is tests/shared_specs/wiki_en2015.yaml), read from the disk,
tokenised and packed as in Charles et al. 2023: 64 steps of 16 sequences of 128 tokens a client, a shorter client
repeated. Against the library `tokenizers` alone, which encodes the same texts, that lie in memory already, in one call,
and makes nothing of them. Cases run in turns; a ratio is the median of the ratios of the same turn, of seconds and of
seconds of all cores: below 1 is less than the library alone. Tokens are counted once, however often a client is
repeated.
"""

from __future__ import annotations

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
from benchmarks.reader.report import keep, machine
from groupstream.cohorts import Cohorts
from training.data.packing import CohortPacker, Packing
from training.data.prefetch import prefetch, rounds
from training.data.text import TextForm
from training.data.text_features import choose_text_features
from training.data.tokenizer import Kind, Tokenizer
from training.data.tokenizer_training import train_tokenizer

TURNS = 3
COHORT_SIZE = 64
ROUNDS = 3
PACKING = Packing(num_steps=64, batch_size=16)
KINDS: tuple[Kind, ...] = ("bytes", "bpe", "wordpiece")


class Case(NamedTuple):
    """What is run, and how long each turn took: on the clock, and on all cores together."""

    name: str
    run: Callable[[], object]
    seconds: list[float]
    cpu_seconds: list[float]


def main() -> None:
    """Trains the tokenizers, runs all, prints and keeps the table."""
    dataset = groupstream.open(sys.argv[2] if len(sys.argv) > 2 else "wiki-en2015", sys.argv[1])
    features = choose_text_features(dataset)
    stream = dataset["train"].select(*features)
    cohorts = stream.cohorts(COHORT_SIZE, seed=0)
    texts = [text for number in range(ROUNDS) for group in cohorts[number] for text in group.table()[0].to_pylist()]
    lines = [
        "# data",
        "",
        (__doc__ or "").strip(),
        "",
        machine(("numpy", "pyarrow", "tokenizers")),
        "",
        f"{len(texts)} texts, {sum(map(len, texts)) / 1e6:.1f} million letters.",
        "",
        "| tokenizer | tokens | packed, tokens/s | ahead on 2 threads | library alone | packed / alone | all cores "
        "| ahead / alone | all cores |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for kind in KINDS:
        tokenizer = train_tokenizer(stream, features, kind, max_text_bytes=4 << 20)
        lines.append(_row(tokenizer, features, cohorts, texts))
    packer = CohortPacker(TextForm(train_tokenizer(stream, features, "bytes"), features, 128), PACKING, COHORT_SIZE)
    held = sum(array.nbytes for array in packer(cohorts[0]).cohort.batches.values())
    lines += ["", f"A packed cohort is {held / 1e6:.0f} MB."]
    keep("data", lines, Path(__file__).parent / "results")


def _row(tokenizer: Tokenizer, features: tuple[str, ...], cohorts: Cohorts, texts: list[str]) -> str:
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
    rates = " | ".join(f"{num_tokens / median(case.seconds) / 1e3:,.0f} k" for case in cases)
    alone = cases[2]
    ratios = " | ".join(
        f"{_ratio(case.seconds, alone.seconds):.2f} | {_ratio(case.cpu_seconds, alone.cpu_seconds):.2f}"
        for case in cases[:2]
    )
    return f"| {tokenizer.kind}, {tokenizer.vocab_size:,} ids | {num_tokens:,} | {rates} | {ratios} |"


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return median(a / b for a, b in zip(ours, theirs, strict=True))


def _pack(packer: CohortPacker, cohorts: Cohorts) -> None:
    for number in range(ROUNDS):
        packer(cohorts[number])


def _pack_ahead(packer: CohortPacker, cohorts: Cohorts) -> None:
    with prefetch(rounds(cohorts, 0, ROUNDS), packer, num_ahead=2, num_threads=2) as ahead:
        for _ in ahead:
            pass


if __name__ == "__main__":
    main()
