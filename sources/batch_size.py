"""How many examples are read at once: few enough to hold, enough for what a batch costs by itself to be nothing."""

BATCH_BYTES = 8 << 20
MAX_BATCH_EXAMPLES = 10_000
FIRST_BATCH_EXAMPLES = 16  # where only reading shows how large they are


def examples_a_batch(num_examples: int, num_bytes: int) -> int:
    """How many examples are about 8 MiB, at most 10,000, where so many took so many bytes."""
    return max(1, min(MAX_BATCH_EXAMPLES, BATCH_BYTES * num_examples // max(num_bytes, 1)))
