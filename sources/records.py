"""Sources whose examples are tf.train.Examples already: passed through, or decoded where features are chosen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from groupstream import CorruptError, ExampleError, SourceError
from groupstream.examples.decoding import decode_examples
from groupstream.features import Features
from sources.batch_size import MAX_BATCH_EXAMPLES
from sources.choice import Selection
from sources.files import first_line
from sources.selection import conform, features_in_source
from sources.source import SourceBatch

DECODES_HELP = "Where this is given, records are decoded and written anew: 2 to 4 times slower than passing them on."


@dataclass(frozen=True)
class RecordSelection:
    """Which features of the records are kept.

    Attributes:
        wanted: what the spec says.
        stored: all features, as they stand in the records.
    """

    wanted: Selection
    stored: Features


def read_records(
    records: Iterable[pa.LargeBinaryArray],
    features: Features,
    needed: frozenset[str],
    selection: RecordSelection | None,
    where: str,
) -> Iterator[SourceBatch]:
    """Batches of a source with records. See `Source.read`.

    Args:
        selection: None to pass the records through; else only the chosen features are decoded, and no record is given.
        where: names the piece in errors.

    Raises:
        SourceError: a record is no tf.train.Example.
        ExampleError: a feature is not of the type or shape that is said of it.
    """
    number = 1
    for some in _small_batches(records):
        place = f"{where}, examples {number:,} to {number + len(some) - 1:,}"
        if selection is None:
            yield SourceBatch(_decode(some, features, needed, place), some)
        else:
            names = features_in_source(selection.wanted, features)
            columns = _decode(some, selection.stored, frozenset(names), place)
            yield SourceBatch(conform(columns, features, f"{where}, example", number, selection.wanted))
        number += len(some)


def _small_batches(records: Iterable[pa.LargeBinaryArray]) -> Iterator[pa.LargeBinaryArray]:
    for block in records:
        yield from (block.slice(start, MAX_BATCH_EXAMPLES) for start in range(0, len(block), MAX_BATCH_EXAMPLES))


def _decode(records: pa.LargeBinaryArray, features: Features, names: frozenset[str], place: str) -> pa.RecordBatch:
    wanted = {name: f.model_copy(update={"optional": True}) for name, f in features.items() if name in names}
    try:
        return decode_examples(records, wanted)
    except ExampleError as error:
        raise ExampleError(f"{place}: {error}") from error
    except CorruptError as error:
        raise SourceError(f"{place}: {first_line(error)}") from error
