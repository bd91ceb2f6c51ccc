"""Tokenizers trained on a dataset itself.

The same version, groups and settings give the same file, on any number of threads. For byte pairs the library sees to
that. Its trainer of WordPiece numbers the letters within words ("##a") in the order of a hash table whose seed is
another in each process, and breaks ties by these numbers; so they are given to it here, numbered.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from groupstream import GroupStream, UsageError
from groupstream.binary import byte_lengths
from training.data.text_features import as_strings, texts_of
from training.data.tokenizer import KINDS, PAD, SEPARATOR, UNKNOWN, Kind, Tokenizer, TrainedOn, byte_tokenizer

_MIN_COUNT = 2  # of a pair that becomes a token
_MAX_LETTERS = 1_000  # of WordPiece, as the vocabularies of BERT
_WITHIN = "##"
_BLOCK_EXAMPLES = 256


def train_tokenizer(
    stream: GroupStream,
    features: tuple[str, ...],
    kind: Kind,
    *,
    vocab_size: int = 8_192,
    max_text_bytes: int = 16 << 20,
    seed: int = 0,
    lowercase: bool = True,
) -> Tokenizer:
    """A tokenizer of the text of some groups, taken in an order that the seed gives until there is enough text.

    Args:
        stream: the groups that take part in training, never those that are held out.
        features: whose text; see `choose_text_features`.
        kind: see `Tokenizer`. For `bytes` nothing is read.
        vocab_size: at most so many ids; fewer where the text has no more pairs that occur twice. At least 258 for
            `bpe`: the bytes, padding and the separator. BERT has 30,522.
        max_text_bytes: how much text is read and held in memory; groups are taken whole, but the last.
        seed: of the order of the groups.
        lowercase: whether `wordpiece` takes upper case and accents away, as BERT's uncased vocabulary does.

    Raises:
        UsageError: a setting that is out of range, or groups without any text.
    """
    if kind not in KINDS:
        raise UsageError(f"kind is {kind!r}; it is one of {', '.join(KINDS)}")
    if kind == "bytes":
        return byte_tokenizer()
    if not 258 <= vocab_size <= 1 << 20:
        raise UsageError(f"vocab_size is {vocab_size:,}; it should be from 258 to {1 << 20:,}")
    sample = _read_sample(stream, features, max_text_bytes, seed)
    content = _train_bpe(sample, vocab_size) if kind == "bpe" else _train_wordpiece(sample, vocab_size, lowercase)
    trained_on = TrainedOn(
        ref=stream.split.ref,
        split=stream.split.name,
        selection=stream.selection.fingerprint(),
        features=features,
        seed=seed,
        max_text_bytes=max_text_bytes,
        vocab_size=vocab_size,
        lowercase=lowercase and kind == "wordpiece",
        num_groups=sample.num_groups,
        num_examples=sum(map(len, sample.texts)),
        text_bytes=sample.text_bytes,
        library=tokenizers.__version__,
    )
    return Tokenizer(kind, content, trained_on)


@dataclass
class _Sample:
    """Texts of some groups: large_string arrays."""

    texts: list[pa.Array]
    num_groups: int = 0
    text_bytes: int = 0

    def words(self) -> Iterator[list[str]]:
        """Its texts, some at a time."""
        for array in self.texts:
            for start in range(0, len(array), _BLOCK_EXAMPLES):
                yield array.slice(start, _BLOCK_EXAMPLES).to_pylist()


def _read_sample(stream: GroupStream, features: tuple[str, ...], max_text_bytes: int, seed: int) -> _Sample:
    if max_text_bytes < 1:
        raise UsageError(f"max_text_bytes is {max_text_bytes}; it should be at least 1")
    sample = _Sample([])
    for group in stream.select(*features).shuffle(seed):
        sample.num_groups += 1
        for batch in group.batches():
            texts = as_strings(texts_of(batch, features))
            ends = byte_lengths(texts.cast(pa.large_binary())).cumsum()
            num_fitting = int((ends < max_text_bytes - sample.text_bytes).sum())
            texts = texts.slice(0, num_fitting + 1)  # the example that makes it full is the last
            sample.texts.append(pa.concat_arrays([texts]))
            sample.text_bytes += int(ends[len(texts) - 1]) if len(texts) else 0
            if sample.text_bytes >= max_text_bytes:
                return sample
    if not sample.text_bytes:
        raise UsageError(
            f"{sample.num_groups:,} groups of {stream.split.ref} {stream.split.name} have no text in "
            f"{', '.join(features)}; name other features, or take the kind bytes, which needs no training"
        )
    return sample


def _train_bpe(sample: _Sample, vocab_size: int) -> str:
    """Byte pairs as GPT-2 has them."""
    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=_MIN_COUNT,
        special_tokens=[PAD, SEPARATOR],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator(sample.words(), trainer)
    return _without_special_tokens(made)


def _train_wordpiece(sample: _Sample, vocab_size: int, lowercase: bool) -> str:
    """WordPiece as BERT has it: Wu et al. 2016, "Google's Neural Machine Translation System", section 4.1.

    The library's trainer joins the commonest pair, as for byte pairs, not that which makes the text likeliest.
    """
    made = tokenizers.Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    made.normalizer = normalizers.BertNormalizer(lowercase=lowercase, strip_accents=lowercase)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece(prefix=_WITHIN)
    letters = _letters(sample, made.normalizer, min(_MAX_LETTERS, (vocab_size - 3) // 2))
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        min_frequency=_MIN_COUNT,
        special_tokens=[PAD, SEPARATOR, UNKNOWN, *(_WITHIN + letter for letter in letters)],
        initial_alphabet=letters,
        limit_alphabet=len(letters),
        continuing_subword_prefix=_WITHIN,
        show_progress=False,
    )
    made.train_from_iterator(sample.words(), trainer)
    return _without_special_tokens(made)


def _letters(sample: _Sample, normalizer: Any, max_letters: int) -> list[str]:
    """The commonest letters of normalised text, sorted; of two that are as common, the one that sorts first."""
    counts: Counter[str] = Counter()
    for texts in sample.words():
        counts.update(normalizer.normalize_str("\n".join(texts)))
    letters = [letter for letter in counts if not letter.isspace()]
    return sorted(sorted(letters, key=lambda letter: (-counts[letter], letter))[:max_letters])


def _without_special_tokens(made: tokenizers.Tokenizer) -> str:
    """Its file, in which no token is looked for in texts before they are cut in words."""
    content = json.loads(made.to_str())
    content["added_tokens"] = []
    return tokenizers.Tokenizer.from_str(json.dumps(content)).to_str(pretty=True)
