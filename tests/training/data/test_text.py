from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groupstream import UsageError
from groupstream.ragged import Ragged
from training.data.form import ClientExamples, Items
from training.data.long_texts import cut_long_texts
from training.data.text import TextForm, sequences_of
from training.data.tokenizer import PAD_ID, SEPARATOR_ID, Tokenizer, byte_tokenizer
from training.data.tokenizer_training import train_tokenizer

BYTES = byte_tokenizer()
TEXTS = st.lists(st.none() | st.text("ab \n漢", max_size=30), max_size=9)


@pytest.fixture(params=["bpe", "wordpiece"])
def tokenizer(request, make_dataset) -> Tokenizer:
    stream = make_dataset({"a": ["to be or not to be, that is the question", "ünïcode    漢字   \n  \n"] * 9})[
        "train"
    ].stream()
    return train_tokenizer(stream, ("text",), request.param, vocab_size=300)


def blocks_of(texts: list[str | None], block_examples: int = 1_000) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(texts), block_examples):
        yield pa.record_batch({"text": pa.array(texts[start : start + block_examples], pa.string())})


def read(form: TextForm, texts: list[str | None], max_items: int | None = None, block_examples: int = 1_000) -> Items:
    (items,) = form.read([ClientExamples(blocks_of(texts, block_examples), max_items)])
    return items


def expected_tokens(tokenizer: Tokenizer, texts: list[str | None]) -> list[int]:
    lists = [ids for ids in tokenizer.encode(pa.array(texts, pa.string())).tolist() if ids]
    return [SEPARATOR_ID, *itertools.chain.from_iterable([*ids, SEPARATOR_ID] for ids in lists)]


@given(TEXTS, st.integers(1, 12), st.none() | st.integers(1, 5), st.integers(1, 4))
@settings(max_examples=150, deadline=None)
def test_every_token_is_a_target_exactly_once_with_the_one_before_it(texts, length, max_items, block_examples):
    items = read(TextForm(BYTES, ("text",), length), texts, max_items, block_examples)
    tokens, mask = items.arrays["tokens"], items.arrays["mask"]
    whole = expected_tokens(BYTES, texts)
    kept = whole if max_items is None else whole[: max_items * length + 1]
    assert tokens.shape == (len(items), length + 1) and mask.shape == (len(items), length)
    assert (tokens.dtype, mask.dtype) == (np.int32, np.bool_)
    assert tokens[:, 1:][mask].tolist() == kept[1:]
    assert tokens[:, :-1][mask].tolist() == kept[:-1]
    assert set(tokens[:, 1:][~mask].tolist()) <= {PAD_ID}
    assert items.num_targets == len(kept) - 1
    assert items.is_cut == (len(kept) < len(whole))
    assert not len(items) or (mask[:-1].all() and mask[-1].any())


@given(TEXTS, st.integers(1, 5), st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_examples_are_counted_the_same_however_they_are_read(texts, max_items, block_examples):
    form = TextForm(BYTES, ("text",), 7)
    items = read(form, texts, max_items, block_examples)
    whole = read(form, texts)
    assert (whole.num_examples, whole.num_empty_examples) == (len(texts), sum(not text for text in texts))
    again = read(form, texts, max_items)
    assert items[1:] == again[1:] and items.num_examples <= len(texts)
    if items.is_cut:
        part = read(form, texts[: items.num_examples])
        assert part.num_empty_examples == items.num_empty_examples
        assert part.arrays["tokens"][: max_items - 1].tolist() == items.arrays["tokens"][:-1].tolist()


def test_one_example_of_one_token():
    items = read(TextForm(BYTES, ("text",), 4), ["a"])
    assert items.arrays["tokens"].tolist() == [[SEPARATOR_ID, 99, SEPARATOR_ID, PAD_ID, PAD_ID]]
    assert items.arrays["mask"].tolist() == [[True, True, False, False]]


@pytest.mark.parametrize("texts", [[], [""], ["", None, ""]])
def test_client_without_text_has_no_target(texts):
    items = read(TextForm(BYTES, ("text",), 4), texts, 3)
    assert (len(items), items.num_targets, items.is_cut) == (0, 0, False)
    assert (items.num_examples, items.num_empty_examples) == (len(texts), len(texts))
    assert items.arrays["tokens"].shape == (0, 5) and items.arrays["mask"].shape == (0, 4)


def test_clients_that_are_encoded_together_are_those_read_alone(tokenizer):
    form = TextForm(tokenizer, ("text",), 5)
    clients = [["to be or not"] * n + [""] for n in range(1, 6)] + [[""], ["that is the question " * 500]]
    together = form.read(ClientExamples(blocks_of(texts, 2), 4) for texts in clients)
    for texts, items in zip(clients, together, strict=True):
        alone = read(form, texts, 4)
        assert items[1:] == alone[1:]
        np.testing.assert_equal(items.arrays, alone.arrays)
        assert items.arrays["tokens"][:, 1:][items.arrays["mask"]].tolist() == expected_tokens(tokenizer, texts)[1:21]


def test_a_client_that_is_larger_than_needed_is_not_read_whole(tokenizer):
    for one in (BYTES, tokenizer):
        taken = []

        def blocks(taken=taken):
            for number in itertools.count():  # it has no end
                taken.append(number)
                yield pa.record_batch({"text": pa.array(["to be or not to be "] * 100, pa.string())})

        form = TextForm(one, ("text",), 100)
        (items,) = form.read([ClientExamples(blocks(), 20)])
        assert len(items) == 20 and items.is_cut
        assert len(taken) <= 5


@dataclass
class CountingTokenizer:
    """Counts what is encoded."""

    tokenizer: Tokenizer
    encoded_bytes: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tokenizer, name)

    def encode(self, texts: pa.Array) -> Ragged:
        self.encoded_bytes += texts.nbytes
        return self.tokenizer.encode(texts)


def test_of_a_long_example_no_more_is_encoded_than_needed(tokenizer):
    text = "to be or not to be " * 100_000
    counting: Any = CountingTokenizer(tokenizer)
    items = read(TextForm(counting, ("text",), 100), [text], 3)
    assert (len(items), items.is_cut, items.num_examples) == (3, True, 1)
    assert 0 < counting.encoded_bytes < 50_000
    assert items.arrays["tokens"][:, 1:].ravel().tolist() == expected_tokens(tokenizer, [text[:5_000]])[1:301]


@given(st.text("ab'. \n\t漢é-1", max_size=200), st.integers(1, 30))
@settings(max_examples=150, deadline=None)
def test_pieces_are_together_the_text(text, piece_letters):
    pieces, is_end = cut_long_texts(pa.array(["a", text, "b c"], pa.large_string()), piece_letters)
    assert "".join(pieces.to_pylist()) == f"a{text}b c"
    assert is_end.sum() == 3 and is_end[0] and is_end[-1]


_WORDS = st.lists(
    st.sampled_from(["to", "be,", "'tis", "don't", "12", " ", "\n", "漢字", "é", "\t", "e\u0301"]), max_size=60
)


def test_ids_of_pieces_are_together_those_of_the_text(tokenizer):
    @given(st.builds(" ".join, _WORDS), st.integers(1, 20))
    @settings(max_examples=150, deadline=None)
    def check(text, piece_letters):
        pieces, _ = cut_long_texts(pa.array([text], pa.large_string()), piece_letters)
        whole = tokenizer.encode(pa.array([text]))
        assert tokenizer.encode(pieces).values.tolist() == whole.values.tolist()

    check()


def test_sequences_overlap_by_one_token():
    assert sequences_of(np.arange(1), 3).shape == (0, 4)
    assert sequences_of(np.arange(4), 3).tolist() == [[0, 1, 2, 3]]


def test_a_sequence_has_a_target():
    with pytest.raises(UsageError, match="sequence_length is 0; it should be at least 1"):
        TextForm(BYTES, ("text",), 0)
