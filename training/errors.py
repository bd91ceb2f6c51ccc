"""What may go wrong in training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jax

from groupstream import GroupstreamError


class DivergedError(GroupstreamError):
    """A loss is no number any more."""


class DeviceMemoryError(GroupstreamError):
    """What is computed does not fit into the memory of the device."""


@contextmanager
def explaining_memory(what: str) -> Iterator[None]:
    """Inside, a device that has no memory left is an error that says what to do.

    Args:
        what: does not fit.
    """
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        device, why = jax.devices()[0].device_kind, str(error).splitlines()[0]
        raise DeviceMemoryError(
            f"{what} does not fit into the memory of {device}: {why}; choose a smaller clients_at_once, batch_size, "
            "sequence_length or size of the model, or rematerialise: true"
        ) from error
