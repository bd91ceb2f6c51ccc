"""What share of a machine's arithmetic a training step uses: `python -m benchmarks.training.models`.

A step is the gradient of the mean loss and plain SGD: what a client does. Batches are 16 sequences of 128 tokens out of
30,000. Utilisation is `flops_per_token` × tokens/s over the most that the machine does in a product of two large square
matrices of the same type, in half a second before the step and half a second after it: a single product may find the
machine asleep. What else the machine does counts for both; the median of the turns. A size that needs more memory than
is there is left out, and the table says so.

Then eight clients with a step each, small ones, as the rounds of a federated run have them: one after another
(`lax.scan`) and side by side (`jax.vmap`, each with parameters of its own).
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import psutil

from benchmarks.arguments import add_results, results_folder
from benchmarks.machine import versions_line
from benchmarks.results import Case, NotMeasured, Ratio, keep, ratio_of, result_of
from training.models import SIZES, CnnSizes, Model, TransformerSizes, cnn, flops_per_token, num_params, transformer

RESULTS = Path(__file__).parent / "results"
BATCH_SIZE, SEQUENCE_LENGTH, VOCABULARY_SIZE = 16, 128, 30_000
NUM_CLIENTS = 8
TURNS = 5
IS_GPU = jax.default_backend() == "gpu"
SQUARE = 8192 if IS_GPU else 1024
REPEATS = 20 if IS_GPU else 1  # so that starting them does not count
PRODUCT_SECONDS = 0.5
_LIBRARIES = ("jax", "jaxlib")


class Found:
    """What was found so far: lines of the tables, and what the JSON has."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.cases: list[Case] = []
        self.ratios: list[Ratio] = []
        self.not_measured: list[NotMeasured] = []

    def add(self, line: str) -> None:
        """A line of a table, printed at once."""
        self.lines.append(line)
        print(line, flush=True)


def main() -> None:
    """Measures, prints the tables, and keeps them unless only some sizes were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=[], help="default: all; on a CPU tiny and small")
    parser.add_argument("--turns", type=int, default=TURNS)
    add_results(parser)
    given = parser.parse_args()
    sizes = given.sizes or (list(SIZES) if IS_GPU else ["tiny", "small"])
    kind = jax.devices()[0].device_kind
    device = f"Device: {kind}; load when it began: {os.getloadavg()[0]:.1f}."
    found = Found()
    found.add("| step of | parameters | tokens/s | GFLOP/s | product, GFLOP/s | utilisation | compiled in |")
    found.add("|---|---:|---:|---:|---:|---:|---:|")
    for dtype in ("float32", "bfloat16") if IS_GPU else ("float32",):
        for name in sizes:
            utilisation(found, name, dtype, given.turns)
    found.add("\n| 8 clients, a step each | one after another, ms | side by side, ms | ratio |\n|---|---:|---:|---:|")
    for case, (model, batch) in client_cases().items():
        clients(found, case, model, batch, given.turns)
    result = result_of(
        "training.models",
        __doc__,
        _LIBRARIES,
        found.cases,
        found.ratios,
        found.not_measured,
        device=kind if IS_GPU else None,
    )
    head = f"# models\n\n{result.about}\n\n{versions_line(_LIBRARIES)} {device}\n"
    keep(result, [head, *found.lines], results_folder(given, RESULTS, is_whole=not given.sizes))


def utilisation(found: Found, name: str, dtype: Any, turns: int) -> None:
    """A line of the table, and its figures."""
    sizes = TransformerSizes(
        **SIZES[name], vocabulary_size=VOCABULARY_SIZE, sequence_length=SEQUENCE_LENGTH, dtype=dtype
    )
    model = transformer(sizes)
    batch = tokens((BATCH_SIZE,), SEQUENCE_LENGTH, VOCABULARY_SIZE)
    begun = time.perf_counter()
    step = jax.jit(partial(train, model), donate_argnums=0).lower(shapes(model), batch).compile()
    compiled = time.perf_counter() - begun
    title = f"| {name}, {dtype} | {num_params(sizes) / 1e6:,.1f} M "
    needed = 4 * num_params(sizes) + step.memory_analysis().temp_size_in_bytes
    if needed > free_bytes():
        why = f"needs {needed / 1e9:.1f} GB of {free_bytes() / 1e9:.1f} GB"
        found.not_measured.append(NotMeasured(what=f"{name}, {dtype}", why=why))
        found.add(f"{title}| {why} | | | | {compiled:.1f} s |")
        return
    product = partial(jax.jit(jnp.matmul), *[jnp.ones((SQUARE, SQUARE), dtype)] * 2)
    params = jax.jit(model.init)(jax.random.key(0))
    speeds = []
    for turn in range(-1, turns):
        before = least_seconds(product)
        params, taken = repeated(step, params, batch)
        if turn >= 0:
            peak = 2 * SQUARE**3 / min(before, least_seconds(product))
            speeds.append((BATCH_SIZE * SEQUENCE_LENGTH / taken, peak))
    rates, peaks = zip(*speeds, strict=True)
    flops = flops_per_token(sizes)
    needed_flops = [rate * flops for rate in rates]
    used = ratio_of(f"{name}, {dtype}", "product of matrices", needed_flops, peaks, figure="FLOP/s", better="higher")
    found.ratios.append(used)
    speed = Case(case=f"{name}, {dtype}", figure="speed", unit="tokens/s", values=rates, better="higher")
    compiling = Case(case=f"{name}, {dtype}", figure="compiling", values=(compiled,))
    found.cases += [speed, compiling]
    rate, peak = speed.median, median(peaks)
    numbers = f"{rate:,.0f} | {rate * flops / 1e9:,.0f} | {peak / 1e9:,.0f} | {100 * used.median:.0f} %"
    found.add(f"{title}| {numbers} | {compiled:.1f} s |")


def client_cases() -> dict[str, tuple[Model, Any]]:
    """Small models, and a batch for each of the clients."""
    cases: dict[str, tuple[Model, Any]] = {}
    for vocabulary_size in (259, 1024):
        sizes = TransformerSizes(**SIZES["tiny"], vocabulary_size=vocabulary_size, sequence_length=64)
        title = f"tiny, {vocabulary_size} tokens, batch of 8 × 64"
        cases[title] = transformer(sizes), tokens((NUM_CLIENTS, 8), 64, vocabulary_size)
    generator = np.random.default_rng(0)
    images = {
        "image": jnp.asarray(generator.integers(0, 256, (NUM_CLIENTS, 20, 32, 32, 3)), jnp.uint8),
        "label": jnp.asarray(generator.integers(0, 10, (NUM_CLIENTS, 20)), jnp.int32),
        "mask": jnp.ones((NUM_CLIENTS, 20), bool),
    }
    return cases | {"cnn, batch of 20 × 32 × 32 × 3": (cnn(CnnSizes()), images)}


def clients(found: Found, case: str, model: Model, batches: Any, turns: int) -> None:
    """A line of the table, and its figures."""
    params = jax.jit(model.init)(jax.random.key(0))
    copies = jax.tree.map(lambda array: jnp.stack([array] * NUM_CLIENTS), params)
    step = partial(train, model)
    looped = jax.jit(lambda params, batches: jax.lax.scan(lambda p, batch: (step(p, batch), None), params, batches)[0])
    beside = jax.jit(jax.vmap(step))
    taken = []
    for turn in range(-1, turns):
        both = seconds(partial(looped, params, batches)), seconds(partial(beside, copies, batches))
        if turn >= 0:
            taken.append(both)
    after, aside = zip(*taken, strict=True)
    named = f"side by side: {case}", f"one after another: {case}"
    ratio = ratio_of(*named, aside, after)
    found.cases += [Case(case=name, values=values) for name, values in zip(named, (aside, after), strict=True)]
    found.ratios.append(ratio)
    found.add(f"| {case} | {1e3 * median(after):,.1f} | {1e3 * median(aside):,.1f} | {ratio.median:.2f} |")


def train(model: Model, params: Any, batch: Any) -> Any:
    """A step."""
    gradient = jax.grad(lambda params: model.loss(params, batch).mean_loss)(params)
    return jax.tree.map(lambda array, slope: array - 0.1 * slope, params, gradient)


def tokens(leading: Sequence[int], sequence_length: int, vocabulary_size: int) -> dict[str, jax.Array]:
    """Batches of random tokens that all count."""
    drawn = np.random.default_rng(0).integers(0, vocabulary_size, (*leading, sequence_length + 1))
    return {"tokens": jnp.asarray(drawn, jnp.int32), "mask": jnp.ones((*leading, sequence_length), bool)}


def shapes(model: Model) -> Any:
    """Of the parameters."""
    return jax.eval_shape(model.init, jax.random.key(0))


def free_bytes() -> int:
    """Of the device's memory."""
    stats = jax.devices()[0].memory_stats() if IS_GPU else None
    return stats["bytes_limit"] - stats["bytes_in_use"] if stats else psutil.virtual_memory().available


def seconds(program: Callable[[], Any]) -> float:
    """Of one call, compiled or not."""
    begun = time.perf_counter()
    for _ in range(REPEATS):
        result = program()
    jax.block_until_ready(result)
    return (time.perf_counter() - begun) / REPEATS


def least_seconds(program: Callable[[], Any]) -> float:
    """Of one call, of those that fit into a while."""
    end = time.perf_counter() + PRODUCT_SECONDS
    least = seconds(program)
    while time.perf_counter() < end:
        least = min(least, seconds(program))
    return least


def repeated(step: Any, params: Any, batch: Any) -> tuple[Any, float]:
    """New parameters, and the seconds of a step."""
    jax.block_until_ready(params)
    begun = time.perf_counter()
    for _ in range(REPEATS):
        params = step(params, batch)
    jax.block_until_ready(params)
    return params, (time.perf_counter() - begun) / REPEATS


if __name__ == "__main__":
    main()
