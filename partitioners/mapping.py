"""Groups from a file that names the group of each example."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ConfigDict, Field

from groupstream import SpecError
from partitioners.key_words import key_words
from partitioners.keys import key_bytes
from partitioners.partitioner import ExampleIds, RulePartitioner
from partitioners.spec_file import SpecFile, read_content
from partitioners.words import quoted

_GROUP_COLUMNS = ("group_id", "client_id")


class ByMapping(SpecFile, RulePartitioner):
    """Each example in the group that a file gives it: a table of `group_id` (or `client_id`) and `example_id`.

    An example that the file does not name has no group. Each worker holds the table in memory: the ids, and 12 bytes
    an example beside them.

    Source: the client-to-sample tables of FedScale (Lai et al. 2022, "FedScale: Benchmarking Model and System
    Performance of Federated Learning at Scale"). Theirs name examples by their position or path; ours by the value of
    a feature, so that the file stays true when the source is put in another order.
    """

    model_config = ConfigDict(title="File")

    kind: Literal["mapping"] = "mapping"
    feature: str = Field(description="The feature that names each example, as example_id does in the file.")
    file: str = Field(
        min_length=1,
        description="A CSV file with a header, or a Parquet file (.parquet), with the columns group_id (or client_id) "
        "and example_id; each example once. A path, or gs://, s3:// or https://.",
    )

    @property
    def in_words(self) -> str:
        """See `Partitioner.in_words`."""
        return f"Each example in the group that a file gives to its {quoted(self.feature)}."

    @property
    def reads(self) -> frozenset[str]:
        """See `Partitioner.reads`."""
        return frozenset([self.feature])

    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        """See `Rule.assign`."""
        return _load(self.file, self.fingerprint).groups_of(key_bytes(batch.column(self.feature), self.feature))


@dataclass(frozen=True, eq=False)
class GroupOfExample:
    """The group of each example that the file names.

    Attributes:
        words: uint64[num_examples], `key_words` of the examples, ascending, each once.
        example_ids: large_binary[num_examples], in that order.
        group_codes: int32[num_examples], positions in `group_ids`.
        group_ids: binary[num_groups].
        seed: of the words.
    """

    words: np.ndarray
    example_ids: pa.Array
    group_codes: np.ndarray
    group_ids: pa.Array
    seed: int

    @classmethod
    def of(cls, example_ids: pa.Array, group_ids: pa.Array, place: str) -> GroupOfExample:
        """Of two columns, binary[num_examples].

        Raises:
            SpecError: an example stands twice.
        """
        coded = group_ids.dictionary_encode()
        codes = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int32)
        for seed in range(8):  # two ids with one word in 1e9 examples: once in 37 seeds
            words = key_words(example_ids, seed)
            order = np.argsort(words, kind="stable")
            words = words[order]
            same = np.flatnonzero(words[1:] == words[:-1])
            ids = example_ids.cast(pa.large_binary()).take(pa.array(order))
            _refuse_twice(ids, same, place)
            if not len(same):
                return cls(words, ids, codes[order], coded.dictionary, seed)
        raise AssertionError(f"{place}: different ids have the same words for 8 seeds")

    def groups_of(self, keys: pa.Array) -> pa.Array:
        """binary[num_keys]: the group of each example, null where the file names none."""
        if not len(self.words):
            return pa.nulls(len(keys), pa.binary())
        words = key_words(keys, self.seed)
        places = np.minimum(np.searchsorted(self.words, words), len(self.words) - 1)
        found = pc.equal(self.example_ids.take(pa.array(places)), keys.cast(pa.large_binary()))
        has_group = pc.fill_null(found, False).to_numpy(zero_copy_only=False) & (self.group_codes[places] >= 0)
        return self.group_ids.take(pa.array(self.group_codes[places], mask=~has_group))


def _refuse_twice(ids: pa.Array, places: np.ndarray, place: str) -> None:
    for i in places.tolist():
        if (example := ids[i].as_py()) == ids[i + 1].as_py():
            name = example.decode(errors="replace")
            raise SpecError(f"partitioner.file {place!r} names the example {name!r} twice. Name each once")


@functools.lru_cache(maxsize=1)
def _load(address: str, fingerprint: str) -> GroupOfExample:
    """The table of a file, read once in a process."""
    table = _read(address, read_content(address, fingerprint))
    group_column = next((name for name in _GROUP_COLUMNS if name in table.column_names), _GROUP_COLUMNS[0])
    for name in (group_column, "example_id"):
        if name not in table.column_names:
            raise SpecError(
                f"partitioner.file {address!r} has no column {name!r}; it has {', '.join(table.column_names)}. "
                "Name the columns group_id (or client_id) and example_id"
            )
    example_ids, group_ids = (key_bytes(_whole(table[name], address), name) for name in ("example_id", group_column))
    if example_ids.null_count:
        raise SpecError(f"partitioner.file {address!r}: {example_ids.null_count:,} rows have no example_id. Mend them")
    return GroupOfExample.of(example_ids, group_ids, address)


def _whole(column: pa.ChunkedArray, address: str) -> pa.Array:
    found = column.combine_chunks()
    if isinstance(found, pa.ChunkedArray):
        raise SpecError(
            f"partitioner.file {address!r} has over 2 GiB of ids. Map groups of examples, or shorten the ids"
        )
    return found


def _read(address: str, content: bytes) -> Any:
    import pyarrow.csv
    import pyarrow.parquet

    try:
        if content[:4] == b"PAR1":
            return pyarrow.parquet.read_table(pa.BufferReader(content))
        parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
        names = pyarrow.csv.open_csv(pa.BufferReader(content), parse_options=parse).schema.names
        convert = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
        return pyarrow.csv.read_csv(pa.BufferReader(content), parse_options=parse, convert_options=convert)
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).splitlines()[0]
        raise SpecError(f"partitioner.file {address!r} is no CSV or Parquet file: {reason}. Write it anew") from error
