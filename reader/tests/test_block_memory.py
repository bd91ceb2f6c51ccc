"""Reading and decoding hold a few blocks, however much there is to read."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("resource", reason="peak memory is measured where the system tells it")

BLOCK_BYTES = 8 << 20
TOTAL_BYTES = 400 << 20

# Bytes made on demand: one MiB of frames, again and again. Prints by how many bytes the peak grew over all blocks.
READ_ALL = textwrap.dedent(
    """
    import resource, sys
    import numpy as np, pyarrow as pa
    from groupstream import Feature
    from groupstream.binary import data_of
    from groupstream.examples.decoding import decode_examples
    from groupstream.examples.encoding import encode_examples
    from groupstream.tfrecord import frame_records, iter_record_blocks

    block_bytes, total_bytes, text_bytes = map(int, sys.argv[1:])
    features = {"text": Feature(dtype="string"), "n": Feature(dtype="int64", shape=(None,))}
    count = (1 << 20) // text_bytes
    batch = pa.record_batch({"text": pa.array(["x" * text_bytes] * count), "n": pa.array([[1, 2, 300]] * count)})
    segment = bytes(data_of(frame_records(encode_examples(batch, features))))
    copies = total_bytes // len(segment)

    def read(offset, length):
        length = min(length, copies * len(segment) - offset)
        first = offset % len(segment)
        return (segment * (length // len(segment) + 2))[first : first + length]

    def peak_bytes():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    before, found = peak_bytes(), 0
    for records in iter_record_blocks(read, 0, copies * len(segment), "made up", block_bytes):
        found += len(decode_examples(records, features))
    assert found == copies * count
    print(peak_bytes() - before)
    """
)


@pytest.mark.parametrize("text_bytes", [100, 400, 20_000])
def test_decoding_a_stream_holds_a_few_blocks(text_bytes: int) -> None:
    command = [sys.executable, "-c", READ_ALL, *map(str, (BLOCK_BYTES, TOTAL_BYTES, text_bytes))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 12 * BLOCK_BYTES, f"{int(done.stdout) / BLOCK_BYTES:.1f} blocks"
