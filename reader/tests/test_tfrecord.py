from __future__ import annotations

import struct
from collections.abc import Callable

import google_crc32c
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groupstream import CorruptError
from groupstream.binary import data_of
from groupstream.tfrecord import HEADER_BYTES, OVERHEAD_BYTES, find_frames, frame_records, iter_record_blocks, unframe

# The records b"abc" and b"", written by TensorFlow 2.21.
BY_TENSORFLOW = bytes.fromhex("0300000000000000b099490e6162636e57f121000000000000000029039807d8ea82a2")
SMALL = [b"first", b"", b"a third record, longer than the others", b"\x00" * 3]


def framed(records: list[bytes]) -> bytes:
    return bytes(data_of(frame_records(pa.array(records, pa.large_binary()))))


def read_in(data: bytes, lengths: list[int]) -> Callable[[int, int], bytes]:
    """Reads from `data` and notes how much is asked for."""

    def read(offset: int, length: int) -> bytes:
        lengths.append(length)
        assert len(lengths) < 1000, "it reads on and on"
        return data[offset : offset + length]

    return read


def read_all(data: bytes, block_bytes: int = 8 << 20, length: int | None = None) -> list[bytes]:
    blocks = iter_record_blocks(read_in(data, []), 0, len(data) if length is None else length, "file", block_bytes)
    return [record for block in blocks for record in block.to_pylist()]


def test_framing_is_that_of_tensorflow() -> None:
    assert framed([b"abc", b""]) == BY_TENSORFLOW
    assert unframe(BY_TENSORFLOW, "file").to_pylist() == [b"abc", b""]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=12), st.integers(1, 200))
def test_records_come_back_whatever_the_size_of_a_block(records: list[bytes], block_bytes: int) -> None:
    assert read_all(framed(records), block_bytes) == records


def test_a_record_longer_than_a_block_is_read_whole() -> None:
    records = [b"short", b"x" * 100_000, b"short again"]
    lengths: list[int] = []
    data = framed(records)
    blocks = list(iter_record_blocks(read_in(data, lengths), 0, len(data), "file", 1000))
    assert [r for b in blocks for r in b.to_pylist()] == records
    assert max(lengths) == 100_000 + OVERHEAD_BYTES


def test_reading_takes_the_bytes_of_its_range_only() -> None:
    first, second, third = (framed([r]) for r in (b"one", b"two", b"three"))
    blocks = iter_record_blocks(read_in(first + second + third, []), len(first), len(second), "file")
    assert [b.to_pylist() for b in blocks] == [[b"two"]]


def test_an_empty_range_has_no_blocks() -> None:
    assert read_all(b"") == []
    assert unframe(b"", "file").to_pylist() == []


@pytest.mark.parametrize("block_bytes", [1, 40, 8 << 20])
def test_every_changed_bit_is_found(block_bytes: int) -> None:
    data = framed(SMALL)
    for position in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[position] ^= 1 << bit
            with pytest.raises(CorruptError, match=r"file.*\+\d"):
                read_all(bytes(changed), block_bytes)


def test_a_bit_changed_in_long_records_is_found() -> None:
    data = framed([b"x" * 20_000, b"", b"y" * 20_000])
    assert unframe(data, "file").to_pylist()[1:] == [b"", b"y" * 20_000]
    for position in [*range(0, len(data), 97), *range(20_000, 20_064), len(data) - 1]:
        changed = bytearray(data)
        changed[position] ^= 1 << position % 8
        with pytest.raises(CorruptError, match=r"file.*\+\d"):
            unframe(bytes(changed), "file")


def test_the_first_of_several_wrong_records_is_named() -> None:
    data = bytearray(framed(SMALL))
    first, second, third, _ = find_frames(bytes(data)).starts.tolist()
    data[third] ^= 1
    data[second] ^= 255  # the CRC of a record without a byte
    with pytest.raises(CorruptError, match=rf"CRC of the data of the record at \+{second - HEADER_BYTES} "):
        unframe(bytes(data), "file")
    assert first == HEADER_BYTES


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=12), st.data())
@settings(deadline=None)
def test_records_that_changed_together_are_found(records: list[bytes], data: st.DataObject) -> None:
    whole = bytearray(framed(records))
    positions = data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=5, unique=True))
    for position in positions:
        whole[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CorruptError):
        unframe(bytes(whole), "file")


@pytest.mark.parametrize("block_bytes", [1, 40, 8 << 20])
def test_a_file_cut_anywhere_is_found(block_bytes: int) -> None:
    data = framed(SMALL)
    ends = {len(framed(SMALL[:n])) for n in range(len(SMALL) + 1)}
    for size in range(len(data)):
        with pytest.raises(CorruptError, match="cut short"):
            read_all(data[:size], block_bytes, length=len(data))  # the index knows how long it was
        if size not in ends:
            with pytest.raises(CorruptError, match="cut short"):
                read_all(data[:size], block_bytes)


@pytest.mark.parametrize("length", [2**31, 2**62, 2**63, 2**64 - 1])
@pytest.mark.parametrize("with_crc", [True, False])
def test_an_absurd_length_asks_for_no_memory(length: int, with_crc: bool) -> None:
    header = struct.pack("<Q", length)
    crc = google_crc32c.value(header)
    masked = (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    data = header + struct.pack("<I", masked if with_crc else 0) + bytes(1000)
    lengths: list[int] = []
    with pytest.raises(CorruptError):
        list(iter_record_blocks(read_in(data, lengths), 0, len(data), "file", 100))
    assert max(lengths) <= len(data)


def test_a_sliced_array_is_framed_as_it_reads() -> None:
    records = pa.array([b"zero", b"one", b"two", b"three"], pa.large_binary())
    assert frame_records(records.slice(1, 2)).to_pylist() == [framed([b"one"]), framed([b"two"])]


def test_a_record_has_the_same_frame_beside_long_ones_and_after_a_slice() -> None:
    """The CRCs of long records are of views, in which the place of each counts."""
    values = [b"zero", b"a" * 10_000, b"", b"b" * 3_000, b"short", b"last"]
    records = pa.array(values, pa.large_binary())
    frames = frame_records(records.slice(1, 4), pa.array([b"-one", b"-two", b"", b"-four"], pa.large_binary()))
    wanted = [b"a" * 10_000 + b"-one", b"-two", b"b" * 3_000, b"short-four"]
    assert frames.to_pylist() == [framed([value]) for value in wanted]
    assert read_all(bytes(data_of(frames))) == wanted


def test_lengths_of_every_width_are_framed() -> None:
    records = [b"x" * n for n in (0, 1, 255, 256, 65535, 65536, 2**24)]
    data = framed(records)
    assert read_all(data) == records
    position = 0
    for record in records:
        header = data[position : position + 8]
        assert np.frombuffer(header, "<u8")[0] == len(record)
        position += len(record) + OVERHEAD_BYTES
