"""A sum over the clients of a cohort: some at once, the others one after the other, and each device has its share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from groupstream.errors import UsageError

CLIENTS = "clients"
"""The one axis of a mesh of devices."""

Shared = TypeVar("Shared")


@dataclass(frozen=True)
class OverClients:
    """How the clients of a cohort are spread.

    Memory holds the parameters, gradients and activations of `at_once` clients a device, and one sum, however many
    clients there are.

    Attributes:
        at_once: clients that a device trains in one vectorised step. More is faster on a GPU, as long as memory
            holds them; 1 is the fastest on a CPU. It divides the clients of a device.
        mesh: devices with the one axis `clients`; None for the default device.
    """

    at_once: int = 1
    mesh: Mesh | None = None

    def everywhere(self, tree: Any) -> Any:
        """Arrays on the devices, whole on each."""
        return jax.device_put(tree, self._sharding())

    def divided(self, tree: Any) -> Any:
        """Arrays [cohort, ...] on the devices, each of which gets its share of the clients."""
        return jax.device_put(tree, self._sharding(CLIENTS))

    def _sharding(self, *axes: str) -> NamedSharding | None:
        return None if self.mesh is None else NamedSharding(self.mesh, PartitionSpec(*axes))  # type: ignore[no-untyped-call]

    def sum(self, client: Callable[[Shared, Any], tuple[Any, Any]], shared: Shared, clients: Any) -> tuple[Any, Any]:
        """The sum of what clients give, and what each keeps.

        Args:
            client: what is shared and one client's part of `clients`, to a tree that is summed and one that is kept.
            shared: the same for all.
            clients: each array [cohort, ...].

        Returns:
            the sum, and the kept trees with each array [cohort, ...].

        Raises:
            UsageError: the cohort cannot be divided so.
        """
        num_clients = jax.tree.leaves(clients)[0].shape[0]
        num_devices = 1 if self.mesh is None else self.mesh.size
        if num_clients % (num_devices * self.at_once):
            raise UsageError(
                f"a cohort of {num_clients} clients cannot be divided among {num_devices} devices with {self.at_once} "
                f"clients at once on each; choose a cohort that is a multiple of {num_devices * self.at_once}"
            )
        if self.mesh is None:
            return _sum(client, self.at_once, shared, clients)

        def share_of_device(shared: Shared, clients: Any) -> tuple[Any, Any]:
            total, kept = _sum(client, self.at_once, shared, clients)
            return jax.lax.psum(total, CLIENTS), kept  # type: ignore[no-untyped-call]

        everywhere, divided = PartitionSpec(), PartitionSpec(CLIENTS)  # type: ignore[no-untyped-call]
        return jax.shard_map(
            share_of_device,
            mesh=self.mesh,
            in_specs=(everywhere, divided),
            out_specs=(everywhere, divided),
            check_vma=False,  # the loop's first sum is a constant, which it would call not divided
        )(shared, clients)


def _sum(
    client: Callable[[Shared, Any], tuple[Any, Any]], at_once: int, shared: Shared, clients: Any
) -> tuple[Any, Any]:
    def chunk(total: Any, clients: Any) -> tuple[Any, Any]:
        if at_once == 1:
            given, kept = client(shared, jax.tree.map(lambda array: array[0], clients))
            return jax.tree.map(jnp.add, total, given), jax.tree.map(lambda array: array[None], kept)
        given, kept = jax.vmap(client, in_axes=(None, 0))(shared, clients)
        return jax.tree.map(lambda total, given: total + given.sum(0), total, given), kept

    chunks = jax.tree.map(lambda array: array.reshape(-1, at_once, *array.shape[1:]), clients)
    shape, _ = jax.eval_shape(lambda clients: client(shared, clients), jax.tree.map(lambda array: array[0], clients))
    total, kept = jax.lax.scan(chunk, jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shape), chunks)
    return total, jax.tree.map(lambda array: array.reshape(-1, *array.shape[2:]), kept)
