"""ArrayRecord files: records that can be read from any number on.

Source of the format: https://github.com/google/array_record. Its reader checks a hash of every block that it reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from groupstream import SourceError
from sources.batch_size import FIRST_BATCH_EXAMPLES, examples_a_batch
from sources.files import first_line


def count_records(file: Path) -> int:
    """How many records a file has. Reads its end only.

    Raises:
        SourceError: it is no whole ArrayRecord file, or the package is not installed.
    """
    reader = _open(file)
    try:
        return int(reader.num_records())
    finally:
        reader.close()


def iter_record_ranges(file: Path, start: int, stop: int) -> Iterator[pa.LargeBinaryArray]:
    """The records from number `start` to `stop`, in batches of about 8 MiB and 10,000 records at most.

    Raises:
        SourceError: it cannot be read, or its bytes are not those that were written.
    """
    reader = _open(file)
    try:
        want = FIRST_BATCH_EXAMPLES
        while start < stop:
            records = pa.array(reader.read(start, min(start + want, stop)), pa.large_binary())
            yield records
            start += len(records)
            want = examples_a_batch(len(records), records.nbytes)
    except (RuntimeError, ValueError, IndexError) as error:
        raise SourceError(_unreadable(file, error)) from error
    finally:
        reader.close()


def _open(file: Path) -> Any:
    try:
        from array_record.python.array_record_module import ArrayRecordReader
    except ImportError as error:
        raise SourceError(f"{file.name} needs a package: {error}. Run: pip install array_record") from error
    # Without threads that read ahead: each has 16 MiB of its own, and pieces are read side by side.
    reader = ArrayRecordReader(str(file), "readahead_buffer_size:0,max_parallelism:0")
    if not reader.ok():  # it says so only here: opening raises nothing
        what = FileNotFoundError("no such file") if not file.exists() else ValueError("it does not end as one should")
        raise SourceError(_unreadable(file, what))
    return reader


def _unreadable(file: Path, error: Exception) -> str:
    return f"cannot read {file} as an ArrayRecord file: {first_line(error)}. Prepare the dataset again"
