"""The devices that there are."""

from __future__ import annotations

import time

import jax
import jax.numpy as jnp

_TURNS = 5


def device_name() -> str:
    """How many devices of which kind."""
    devices = jax.devices()
    return f"{len(devices)} × {devices[0].device_kind}"


def devices_in_words() -> tuple[str, bool]:
    """Which devices training uses, in words, and whether they are no CPU."""
    devices = jax.devices()
    if devices[0].platform == "cpu":
        return (
            f"no GPU is here, or JAX does not see it: training on the CPU, as {len(devices)} device"
            f"{'s' * (len(devices) > 1)}. On NVIDIA's cards, install requirements/gpu.txt"
        ), False
    return f"training on {device_name()}", True


def peak_memory_bytes() -> int | None:
    """The most memory of the fullest device that was in use so far; None where it does not say, as a CPU."""
    peaks = [(device.memory_stats() or {}).get("peak_bytes_in_use") for device in jax.devices()]
    return max((peak for peak in peaks if peak is not None), default=None)


def matrix_rate(dtype: str) -> float:
    """FLOP/s of all devices together in products of two large square matrices of this type; the best of some turns."""
    devices = jax.devices()
    size = 1024 if devices[0].platform == "cpu" else 8192
    squares = [jax.device_put(jnp.ones((size, size), dtype), device) for device in devices]
    product = jax.jit(jnp.matmul)

    def turn() -> float:
        begun = time.perf_counter()
        jax.block_until_ready([product(square, square) for square in squares])  # type: ignore[no-untyped-call]
        return time.perf_counter() - begun

    turn()  # compiles it
    return 2 * size**3 * len(devices) / min(turn() for _ in range(_TURNS))
