"""Clients of text as sequences of tokens.

The tokens of a client are: the separator, its first example, the separator, its second, and so on; a separator stands
after the last, too. They are cut in sequences of which each begins with the last token of the one before: so every
token but the first separator is a target exactly once, and has the token before it as input. Examples without a token
are left out, and counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from groupstream import UsageError
from groupstream.binary import byte_lengths
from training.data.form import ClientExamples, ItemArray, Items
from training.data.long_texts import cut_long_texts
from training.data.text_features import as_strings, texts_of
from training.data.tokenizer import PAD_ID, SEPARATOR_ID, Tokenizer

_ENCODED_TOGETHER_BYTES = 1 << 20  # enough work for all cores
_LEAST_BYTES = 1 << 10


@dataclass(frozen=True)
class TextForm:
    """Text as sequences: `tokens` int32[num_items, sequence_length + 1], `mask` bool[num_items, sequence_length].

    Input i of a sequence is `tokens[:, i]`, its target `tokens[:, i + 1]`, and counts where `mask[:, i]`. Only the last
    sequence of a client is padded.

    Attributes:
        tokenizer: of the text.
        features: whose text; see `choose_text_features`.
        sequence_length: targets a sequence.
    """

    tokenizer: Tokenizer
    features: tuple[str, ...]
    sequence_length: int

    def __post_init__(self) -> None:
        if self.sequence_length < 1:
            raise UsageError(f"sequence_length is {self.sequence_length}; it should be at least 1")

    @property
    def item(self) -> Mapping[str, ItemArray]:
        """See `ClientForm`."""
        length = self.sequence_length
        return {"tokens": ItemArray((length + 1,), np.int32), "mask": ItemArray((length,), np.bool_)}

    def read(self, clients: Iterable[ClientExamples]) -> Iterator[Items]:
        """See `ClientForm`. The texts of several clients are encoded together, about 1 MiB at once."""
        waiting: list[_Reading] = []
        waiting_bytes = 0
        for client in clients:
            reading = _Reading(self, client)
            waiting_bytes += reading.advance()
            waiting.append(reading)
            if waiting_bytes >= _ENCODED_TOGETHER_BYTES:
                yield from self._finished(waiting)
                waiting, waiting_bytes = [], 0
        yield from self._finished(waiting)

    def _finished(self, readings: list[_Reading]) -> Iterator[Items]:
        unfinished = [reading for reading in readings if len(reading.portion)]
        while unfinished:
            ids = self.tokenizer.encode(pa.concat_arrays([reading.portion for reading in unfinished]))
            start = 0
            for reading in unfinished:
                stop = start + len(reading.portion)
                reading.add(ids[start:stop].values, ids[start:stop].lengths)
                reading.advance()
                start = stop
            unfinished = [reading for reading in unfinished if len(reading.portion)]
        return (reading.items() for reading in readings)


class _Reading:
    """A client in the middle of being read: one portion of its texts at a time, as many as are needed."""

    def __init__(self, form: TextForm, client: ClientExamples) -> None:
        self._form = form
        self._blocks, self._max_items = client
        self._pieces = pa.array([], pa.large_string())
        self._is_end = np.zeros(0, bool)  # of each piece: whether its example ends there
        self._parts = [np.array([SEPARATOR_ID], np.int32)]
        self._num_tokens = 1
        self._empty_places: list[np.ndarray] = []  # where examples without a token would stand
        self.portion, self._portion_is_end = self._pieces, self._is_end  # the pieces that are to be encoded next

    @property
    def _num_needed(self) -> float:
        """How many tokens its items have, the first separator among them."""
        return np.inf if self._max_items is None else self._max_items * self._form.sequence_length + 1

    def advance(self) -> int:
        """Cuts the next portion: none if enough tokens are there, with one more that says that there are more.

        Returns:
            Its bytes.
        """
        while self._num_tokens <= self._num_needed and not len(self._pieces):
            block = next(self._blocks, None)
            if block is None:
                break
            self._pieces, self._is_end = self._cut(texts_of(block, self._form.features))
        if self._num_tokens > self._num_needed:
            self._pieces = self._pieces.slice(0, 0)
        sizes = byte_lengths(self._pieces.cast(pa.large_binary()))
        wanted = min(self._num_needed + 1 - self._num_tokens, _ENCODED_TOGETHER_BYTES)
        wanted_bytes = max(wanted * self._form.tokenizer.text_bytes_per_token, _LEAST_BYTES)
        stop = int(np.searchsorted(np.cumsum(sizes), wanted_bytes)) + 1
        self.portion, self._pieces = self._pieces.slice(0, stop), self._pieces.slice(stop)
        self._portion_is_end, self._is_end = self._is_end[:stop], self._is_end[stop:]
        return int(sizes[:stop].sum())

    def _cut(self, texts: pa.Array) -> tuple[pa.Array, np.ndarray]:
        if self._form.tokenizer.kind == "bytes":
            return texts.cast(pa.large_binary()), np.ones(len(texts), bool)
        return cut_long_texts(as_strings(texts))

    def add(self, ids: np.ndarray, lengths: np.ndarray) -> None:
        """Takes the ids of the portion, with a separator after each example that has any.

        An example has some if its last piece has: a piece that is not the first begins with a word.
        """
        ends, has_tokens = np.cumsum(lengths)[self._portion_is_end], lengths[self._portion_is_end] > 0
        self._empty_places.append(self._num_tokens + (ends + np.cumsum(has_tokens))[~has_tokens])
        self._parts.append(np.insert(ids, ends[has_tokens], SEPARATOR_ID).astype(np.int32, copy=False))
        self._num_tokens += len(self._parts[-1])

    def items(self) -> Items:
        """The sequences of what was added."""
        tokens, length = np.concatenate(self._parts), self._form.sequence_length
        is_cut = len(tokens) > self._num_needed
        if is_cut:
            tokens = tokens[: int(self._num_needed)]
        num_empty = sum(int((places < len(tokens)).sum() if is_cut else len(places)) for places in self._empty_places)
        num_ended = int((tokens[1:] == SEPARATOR_ID).sum())
        num_examples = num_ended + int(tokens[-1] != SEPARATOR_ID) + num_empty
        num_targets = len(tokens) - 1
        num_items = -(-num_targets // length)
        padded = np.full(num_items * length + 1, PAD_ID, np.int32)
        padded[: len(tokens)] = tokens
        arrays = {
            "tokens": sequences_of(padded, length),
            "mask": np.arange(num_items * length).reshape(num_items, length) < num_targets,
        }
        return Items(arrays, num_examples, num_empty, is_cut)


def sequences_of(tokens: np.ndarray, length: int) -> np.ndarray:
    """int32[num_sequences, length + 1]: each begins with the last token of the one before. No copy.

    >>> sequences_of(np.arange(7), 3).tolist()
    [[0, 1, 2, 3], [3, 4, 5, 6]]

    Args:
        tokens: int32[num_sequences * length + 1].
    """
    if len(tokens) <= length:
        return np.zeros((0, length + 1), tokens.dtype)
    return np.lib.stride_tricks.sliding_window_view(tokens, length + 1)[::length]
