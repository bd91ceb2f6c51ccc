"""Arrays of byte strings: made, measured and joined without a Python loop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def binary_array(data: bytes | pa.Buffer | np.ndarray, lengths: np.ndarray) -> pa.LargeBinaryArray:
    """Values that lie one after the other in `data`. No copy."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return binary_array_at(data, offsets)


def binary_array_at(data: bytes | pa.Buffer | np.ndarray, offsets: np.ndarray) -> pa.LargeBinaryArray:
    """Values `data[offsets[i]:offsets[i + 1]]`. No copy."""
    buffers = [None, pa.py_buffer(np.ascontiguousarray(offsets, np.int64)), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.large_binary(), len(offsets) - 1, buffers)


def repeated(values: Sequence[bytes], counts: np.ndarray) -> pa.LargeBinaryArray:
    """The i-th value counts[i] times, one value after the other."""
    lengths = np.fromiter(map(len, values), np.int64, len(values))
    return binary_array(b"".join(values), lengths).take(integers(np.repeat(np.arange(len(values)), counts)))


def integers(values: np.ndarray) -> pa.Int64Array:
    """int64 values without a copy, and unlike `pa.array` without loading pandas."""
    return pa.Array.from_buffers(pa.int64(), len(values), [None, pa.py_buffer(values)])


def fixed_width_binary(matrix: np.ndarray) -> pa.LargeBinaryArray:
    """One value a row: the row's bytes. `matrix` has one item a row, or shape (num_rows, width)."""
    data = np.ascontiguousarray(matrix)
    width = data.itemsize if data.ndim == 1 else data.itemsize * data.shape[1]
    return binary_array_at(data.view(np.uint8).reshape(-1), np.arange(len(data) + 1) * width)


def byte_offsets(values: pa.LargeBinaryArray) -> np.ndarray:
    """int64[len(values) + 1]: where each value starts in the data buffer, and where the last ends."""
    return np.frombuffer(values.buffers()[1], np.int64, len(values) + 1, values.offset * 8)


def byte_lengths(values: pa.LargeBinaryArray) -> np.ndarray:
    """int64[len(values)]."""
    return np.diff(byte_offsets(values)) if len(values) else np.zeros(0, np.int64)


def data_of(values: pa.LargeBinaryArray) -> pa.Buffer:
    """The bytes of all values, one after the other. No copy."""
    if not len(values):
        return pa.py_buffer(b"")
    offsets = byte_offsets(values)
    return values.buffers()[2].slice(int(offsets[0]), int(offsets[-1] - offsets[0]))


def joined(*parts: pa.LargeBinaryArray | bytes) -> pa.LargeBinaryArray:
    """Row by row, the concatenation of the parts; a part that is null in a row adds nothing there."""
    arrays = [pa.scalar(p, pa.large_binary()) if isinstance(p, bytes) else p for p in parts]
    separator = pa.scalar(b"", pa.large_binary())
    return pc.binary_join_element_wise(*arrays, separator, null_handling="replace", null_replacement="")


def varints(values: np.ndarray) -> pa.LargeBinaryArray:
    """The protobuf varint of each uint64."""
    values = np.asarray(values).astype(np.uint64, copy=False)
    if not len(values):
        return pa.array([], pa.large_binary())
    widths = varint_widths(values)
    positions = np.arange(widths.max())
    matrix = (values[:, None] >> (7 * positions).astype(np.uint64)).astype(np.uint8) | 0x80
    matrix[np.arange(len(values)), widths - 1] &= 0x7F
    return binary_array(matrix[positions < widths[:, None]], widths)


def varint_widths(values: np.ndarray) -> np.ndarray:
    """int64[len(values)]: how many bytes the varint of each uint64 takes, 1 to 10."""
    values = np.asarray(values).astype(np.uint64, copy=False)
    widths = np.ones(len(values), np.int64)
    for bits in range(7, 64, 7):
        longer = values >> np.uint64(bits) != 0
        if not longer.any():
            break
        widths += longer
    return widths


def gather(data: pa.Buffer, starts: np.ndarray, ends: np.ndarray) -> pa.LargeBinaryArray:
    """Ascending ranges of `data`, copied to stand one after the other.

    The data is seen as values that are in turn a range and the gap after it; Arrow takes every second one.
    """
    if not len(starts):
        return binary_array(b"", np.zeros(0, np.int64))
    borders = np.empty(2 * len(starts) + 1, np.int64)
    borders[:-1:2], borders[1::2], borders[-1] = starts, ends, ends[-1]
    every_second = np.arange(0, 2 * len(starts), 2)
    return binary_array_at(data, borders).take(integers(every_second))


def words_at(data: bytes | np.ndarray, positions: np.ndarray, dtype: str) -> np.ndarray:
    """The number of type `dtype` whose first byte is `data[position]`, for each position; none needs to be aligned.

    Raises:
        IndexError: one goes past the end of the data.
    """
    return words_of(data, dtype)[positions]


def words_of(data: bytes | np.ndarray, dtype: str) -> np.ndarray:
    """View of `data` with one number for each byte: the one that begins there. No copy. Written to where `data` is."""
    return np.ndarray(max(len(data) - np.dtype(dtype).itemsize + 1, 0), dtype, data, 0, (1,))
