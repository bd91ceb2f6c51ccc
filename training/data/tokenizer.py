"""Texts to token ids, and the file that says how.

A tokenizer is stored as a folder of two files: `tokenizer.json`, as the library `tokenizers` reads it, and
`about.json`: its kind, the SHA-256 of the first file, and what it was trained on.

Id 0 is padding and id 1 the separator, which stands before the first example of a client and after each. No text gives
either: they are no words that the library looks for, so a text with "<pad>" in it is text.
"""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import tokenizers

from groupstream import CorruptError, UsageError
from groupstream.binary import byte_offsets, data_of
from groupstream.ragged import Ragged
from training.data.text_features import as_strings
from training.files import write_whole

Kind = Literal["bytes", "bpe", "wordpiece"]
KINDS: tuple[Kind, ...] = ("bytes", "bpe", "wordpiece")

PAD, SEPARATOR, UNKNOWN = "<pad>", "<separator>", "<unknown>"
PAD_ID, SEPARATOR_ID = 0, 1
FIRST_BYTE_ID = 2  # byte b has the id b + 2

_FILE, _ABOUT = "tokenizer.json", "about.json"
_TEXT_BYTES_PER_TOKEN = {"bytes": 1, "bpe": 4, "wordpiece": 5}  # about, in English; only how much is read at once


@dataclass(frozen=True)
class TrainedOn:
    """What a tokenizer was trained on; the same again gives the same file.

    Attributes:
        ref, split: of the version.
        selection: the fingerprint of the groups that took part; empty for all.
        features: whose text.
        seed: of the order in which groups were taken.
        max_text_bytes: how much text was asked for.
        vocab_size: how many ids were asked for.
        lowercase: whether upper case and accents were taken away.
        num_groups, num_examples, text_bytes: how much was seen; the last group maybe in part.
        library: the release of `tokenizers`.
    """

    ref: str
    split: str
    selection: str
    features: tuple[str, ...]
    seed: int
    max_text_bytes: int
    vocab_size: int
    lowercase: bool
    num_groups: int
    num_examples: int
    text_bytes: int
    library: str


@dataclass(frozen=True)
class Tokenizer:
    """Texts to ids.

    Attributes:
        kind: `bytes` (an id for each), `bpe` (byte pairs; nothing is unknown, and decoding gives the text back) or
            `wordpiece` (as BERT: words in their pieces; a word with letters never seen is one unknown).
        content: of its file.
        trained_on: None for `bytes`.
    """

    kind: Kind
    content: str
    trained_on: TrainedOn | None = None

    pad_id = PAD_ID
    separator_id = SEPARATOR_ID

    @property
    def digest(self) -> str:
        """The SHA-256 of its file: two tokenizers with the same digest give the same ids."""
        return hashlib.sha256(self.content.encode()).hexdigest()

    @functools.cached_property
    def vocab_size(self) -> int:
        """How many ids there are, those of padding and separator among them."""
        return self._tokenizer.get_vocab_size()

    @property
    def text_bytes_per_token(self) -> int:
        """About how many bytes of text a token is."""
        return _TEXT_BYTES_PER_TOKEN[self.kind]

    @functools.cached_property
    def _tokenizer(self) -> tokenizers.Tokenizer:
        return tokenizers.Tokenizer.from_str(self.content)

    def encode(self, texts: pa.Array) -> Ragged:
        """The ids of each text: int32, no padding, no separator; none where it is null.

        All texts are encoded together, on all cores, and other threads run meanwhile.

        Args:
            texts: strings, or bytes; bytes that are no UTF-8 take the kind `bytes`.

        Raises:
            ExampleError: bytes that are no UTF-8, and another kind.
        """
        if self.kind == "bytes":
            raw = texts.cast(pa.large_binary()).fill_null(b"")
            offsets = byte_offsets(raw)
            return Ragged(np.frombuffer(data_of(raw), np.uint8).astype(np.int32) + FIRST_BYTE_ID, offsets - offsets[0])
        found = self._tokenizer.encode_batch_fast(as_strings(texts).fill_null("").to_pylist(), add_special_tokens=False)
        ids = [encoding.ids for encoding in found]
        del found  # it takes more than ten times the bytes of the ids
        lengths = np.fromiter(map(len, ids), np.int64, len(ids))
        values = np.empty(lengths.sum(), np.int32)
        ends = np.cumsum(lengths)
        for one, start, end in zip(ids, (ends - lengths).tolist(), ends.tolist(), strict=True):
            values[start:end] = one
        return Ragged(values, np.concatenate([[0], ends]))

    def decode(self, ids: np.ndarray) -> str:
        """The text of some ids; padding and separators are left out."""
        kept = np.asarray(ids)[np.asarray(ids) > SEPARATOR_ID]
        if self.kind == "bytes":
            return (kept - FIRST_BYTE_ID).astype(np.uint8).tobytes().decode(errors="replace")
        return self._tokenizer.decode(kept.tolist(), skip_special_tokens=False)

    def save(self, folder: Path) -> Path:
        """Writes its two files, that which says that both are there last; gives the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        trained_on = None if self.trained_on is None else asdict(self.trained_on)
        about = {"kind": self.kind, "sha256": self.digest, "vocab_size": self.vocab_size, "trained_on": trained_on}
        write_whole(folder / _FILE, self.content.encode())
        write_whole(folder / _ABOUT, (json.dumps(about, indent=2) + "\n").encode())
        return folder

    @staticmethod
    def is_saved(folder: Path) -> bool:
        """Whether `save` has come to its end there."""
        return (folder / _ABOUT).exists()

    def __getstate__(self) -> dict[str, Any]:
        """Travels to other processes as its file."""
        return {"kind": self.kind, "content": self.content, "trained_on": self.trained_on}


def load_tokenizer(folder: Path, digest: str | None = None) -> Tokenizer:
    """The tokenizer that was saved in a folder, with its digest checked.

    Args:
        digest: what it must be, such as that of the tokenizer with which a run was begun.

    Raises:
        UsageError: there is none; or it is another than `digest` says.
        CorruptError: the file is not what was written.
    """
    for name in (_FILE, _ABOUT):
        if not (folder / name).is_file():
            raise UsageError(f"{folder} has no {name}; it takes a folder to which a tokenizer was saved")
    about = _read_about(folder / _ABOUT)
    try:
        content = (folder / _FILE).read_bytes().decode()
    except UnicodeDecodeError:
        content = ""  # whose digest is none that was written
    trained_on = about["trained_on"]
    if trained_on is not None:
        trained_on = TrainedOn(**{**trained_on, "features": tuple(trained_on["features"])})
    found = Tokenizer(about["kind"], content, trained_on)
    if found.digest != about["sha256"]:
        raise CorruptError(
            f"{folder / _FILE} has the SHA-256 {found.digest}, {_ABOUT} says {about['sha256']}; "
            "copy it anew, or train it again on what about.json says"
        )
    if digest is not None and found.digest != digest:
        raise UsageError(
            f"the tokenizer in {folder} has the digest {found.digest}, {digest} is asked for; "
            "name the folder of that one"
        )
    return found


def _read_about(path: Path) -> dict[str, Any]:
    try:
        about = json.loads(path.read_bytes())
        if about["kind"] in KINDS and isinstance(about["sha256"], str) and "trained_on" in about:
            return about
    except (ValueError, KeyError, TypeError):
        pass
    raise CorruptError(f"{path} does not say what a tokenizer is; copy it anew, or train the tokenizer again")


def byte_tokenizer() -> Tokenizer:
    """One id for each byte: 258 ids, nothing to train.

    >>> byte_tokenizer().encode(pa.array(["ab", ""])).tolist()
    [[99, 100], []]
    """
    letters = _letters_of_bytes()
    vocab = {PAD: PAD_ID, SEPARATOR: SEPARATOR_ID}
    vocab |= {letter: FIRST_BYTE_ID + byte for byte, letter in enumerate(letters)}
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocab, []))
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    return Tokenizer("bytes", made.to_str(pretty=True))


def _letters_of_bytes() -> list[str]:
    """How byte-level tokenizers write each byte: as itself where it can be seen, else as a letter from U+0100 on.

    Source: `bytes_to_unicode` of GPT-2.
    """
    seen = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    unseen = [byte for byte in range(256) if byte not in seen]
    return [chr(byte) if byte in seen else chr(256 + unseen.index(byte)) for byte in range(256)]
