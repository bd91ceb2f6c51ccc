"""How the memory of a build is shared out, so that all its processes together stay within what the spec allows."""

from __future__ import annotations

from dataclasses import dataclass

from groupstream import SpecError

PROCESS_BYTES = 320 << 20  # a worker with Beam, Arrow and the batches on their way, before it sorts anything
_LEAST_PAYLOAD_BYTES = 32 << 20
_GOOD_PAYLOAD_BYTES = 160 << 20
_GOOD_NUM_RUNS = 200  # of a large source
_MOST_CHUNK_BYTES = 64 << 20
_MOST_PAYLOAD_BYTES = 4 << 30  # more group ids than come with that do not fit into one Arrow array, of 2 GiB
_MOST_SEGMENTS = 4 << 20  # the same, of a round of a merge
_EXTRA_SHARE = 0.2  # of the payload: what sorting and writing a run take beside it


@dataclass(frozen=True)
class MemoryBudget:
    """What one worker may hold. It changes nothing in the result.

    Attributes:
        payload_bytes: examples, with what is known of each, that it sorts at once.
        chunk_bytes: records that a merge holds at once; it needs about three times that.
        segments: rows of the indexes of runs that a merge holds at once; about 500 bytes each.
    """

    payload_bytes: int
    chunk_bytes: int
    segments: int


def share_memory(memory_bytes: int, num_workers: int, source_bytes: int | None = None) -> MemoryBudget:
    """The budget of each worker.

    Args:
        memory_bytes: for all processes together.
        num_workers: how many worker processes.
        source_bytes: of the source, where runs lie on a disk: there many small runs cost little, and memory that is
            used again and again is faster than new memory. None: as few runs as the memory allows.

    Raises:
        SpecError: it is not enough for so many processes.
    """
    least = num_workers * (PROCESS_BYTES + round(_LEAST_PAYLOAD_BYTES * (1 + _EXTRA_SHARE)))
    if memory_bytes < least:
        raise SpecError(
            f"runner.memory_bytes {memory_bytes:,} is not enough for {num_workers} worker processes, which need "
            f"{least:,}; raise it, or lower runner.num_workers"
        )
    free = memory_bytes // num_workers - PROCESS_BYTES
    return MemoryBudget(
        payload_bytes=min(round(free / (1 + _EXTRA_SHARE)), _enough_payload(source_bytes), _MOST_PAYLOAD_BYTES),
        chunk_bytes=min(free // 6, _MOST_CHUNK_BYTES),
        segments=min(free // 2 // 500, _MOST_SEGMENTS),
    )


def _enough_payload(source_bytes: int | None) -> int:
    return _MOST_PAYLOAD_BYTES if source_bytes is None else max(_GOOD_PAYLOAD_BYTES, source_bytes // _GOOD_NUM_RUNS)
