"""How Beam writes a batch where it must, and how large it believes one to be.

Beam measures the elements between two steps by encoding some of them. Without a coder of its own a batch would be
pickled for that at every step, which took as long as all the rest.
"""

from __future__ import annotations

import pickle

from apache_beam import coders

from pipelines.batches import Batch


class BatchCoder(coders.Coder):
    """A batch as its pickle."""

    def encode(self, value: Batch) -> bytes:
        """See `Coder.encode`."""
        return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)

    def decode(self, encoded: bytes) -> Batch:
        """See `Coder.decode`."""
        batch: Batch = pickle.loads(encoded)
        return batch

    def estimate_size(self, value: Batch) -> int:
        """The bytes of its columns and records. Encodes nothing."""
        return value.num_bytes

    def is_deterministic(self) -> bool:
        """Batches are no keys."""
        return False

    def to_type_hint(self) -> type:
        """See `Coder.to_type_hint`."""
        return Batch
