from __future__ import annotations

import hashlib
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groupstream import CorruptError, ExampleError, Feature, UnknownKeyError, UsageError
from training.data.text_features import choose_text_features, texts_of
from training.data.tokenizer import KINDS, Tokenizer, byte_tokenizer, load_tokenizer
from training.data.tokenizer_training import train_tokenizer

GOLDEN = Path(__file__).parents[2] / "golden" / "v1"

_TRAIN = """
import sys, groupstream
from training.data.tokenizer_training import train_tokenizer
stream = groupstream.open("text@1.0.0", sys.argv[1])["train"].stream()
for kind in ("bpe", "wordpiece"):
    print(train_tokenizer(stream, ("text",), kind, vocab_size=400, seed=3).digest)
"""


@pytest.fixture(params=KINDS)
def tokenizer(request, make_dataset) -> Tokenizer:
    texts = ["to be or not to be, that is the question", "whether 'tis nobler in the mind to suffer", "ünïcode 漢字"]
    stream = make_dataset({"a": texts, "b": texts * 2})["train"].stream()
    return train_tokenizer(stream, ("text",), request.param, vocab_size=300)


def test_training_gives_the_same_file_in_any_process_on_any_number_of_threads():
    digests = set()
    for num_threads in ("1", "3"):
        environment = {**os.environ, "RAYON_NUM_THREADS": num_threads, "TOKENIZERS_PARALLELISM": "true"}
        command = [sys.executable, "-c", _TRAIN, str(GOLDEN)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        digests.add(done.stdout)
    assert len(digests) == 1 and len(set(digests.pop().split())) == 2


@given(texts=st.lists(st.none() | st.text(max_size=40), max_size=8))
@settings(max_examples=50, deadline=None)
def test_bytes_are_what_the_library_makes_of_the_file(texts):
    ours = byte_tokenizer()
    found = ours.encode(pa.array(texts, pa.string()))
    theirs = [ours._tokenizer.encode(text or "").ids for text in texts]
    assert found.tolist() == theirs and found.values.dtype == np.int32
    assert [ours.decode(ids) for ids in found] == [text or "" for text in texts]


def test_bytes_take_any_bytes():
    found = byte_tokenizer().encode(pa.array([b"\xff\x00", None], pa.binary()))
    assert found.tolist() == [[257, 2], []]
    assert (byte_tokenizer().vocab_size, byte_tokenizer().trained_on) == (258, None)


def test_no_text_gives_padding_or_a_separator(tokenizer):
    found = tokenizer.encode(pa.array(["<pad>", "<separator> to be <unknown>", "", None, "漢"]))
    assert found.values.min() > 1 and found.values.max() < tokenizer.vocab_size
    assert found.lengths.tolist()[2:4] == [0, 0]


def test_encoding_a_slice_gives_the_same_ids(tokenizer):
    texts = pa.array(["the mind", "to be", "question", "nobler"], pa.large_string())
    whole, part = tokenizer.encode(texts), tokenizer.encode(texts.slice(1, 2))
    assert part.tolist() == whole.tolist()[1:3] and part.offsets[0] == 0


@pytest.mark.parametrize("tokenizer", ["bytes", "bpe"], indirect=True)
@given(text=st.text(max_size=60))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_decoding_gives_the_text_back(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(pa.array([text]))[0]) == text


def test_word_pieces_are_words_in_lower_case(make_dataset):
    stream = make_dataset({"a": ["The cat sat. The cat ran, the CAT sat."] * 3})["train"].stream()
    made = train_tokenizer(stream, ("text",), "wordpiece", vocab_size=258)
    ids = made.encode(pa.array(["THE Cat"]))[0]
    assert len(ids) == 2 and made.decode(ids) == "the cat"
    kept = train_tokenizer(stream, ("text",), "wordpiece", vocab_size=258, lowercase=False)
    assert kept.digest != made.digest and kept.decode(kept.encode(pa.array(["The CAT"]))[0]) == "The CAT"


def test_tokenizer_survives_saving_and_pickling(tokenizer, tmp_path):
    texts = pa.array(["to be, or not", "漢字"])
    loaded = load_tokenizer(tokenizer.save(tmp_path / "made"), tokenizer.digest)
    assert loaded == tokenizer
    assert loaded.digest == hashlib.sha256((tmp_path / "made/tokenizer.json").read_bytes()).hexdigest()
    for other in (loaded, pickle.loads(pickle.dumps(tokenizer))):
        assert other.encode(texts).tolist() == tokenizer.encode(texts).tolist()


def test_what_it_was_trained_on_is_kept(make_dataset):
    dataset = make_dataset({"a": ["to be or not to be"], "b": ["that is"], "c": ["é" * 9]})
    everything = train_tokenizer(dataset["train"].stream(), ("text",), "bpe", vocab_size=300).trained_on
    assert (everything.num_groups, everything.num_examples, everything.text_bytes) == (3, 3, 18 + 7 + 18)
    assert (everything.ref, everything.split, everything.selection) == ("made0@1.0.0", "train", "")
    part = dataset["train"].filter(group_ids=["b"])
    assert train_tokenizer(part, ("text",), "bpe", vocab_size=300).trained_on.text_bytes == 7


def test_no_more_text_is_read_than_asked_for(make_dataset):
    stream = make_dataset({f"g{i}": [f"word{i} {n}" for n in range(50)] for i in range(20)})["train"].stream()
    seen = {}
    for seed in (0, 1):
        made = train_tokenizer(stream, ("text",), "bpe", vocab_size=300, max_text_bytes=1_000, seed=seed)
        assert 1_000 <= made.trained_on.text_bytes < 1_020 and made.trained_on.num_groups < 5
        seen[seed] = made.digest
    assert seen[0] != seen[1]


def test_damage_is_found(tokenizer, tmp_path):
    folder = tokenizer.save(tmp_path / "made")
    file, about = folder / "tokenizer.json", folder / "about.json"
    with pytest.raises(UsageError, match=f"has the digest {tokenizer.digest}, {'0' * 64} is asked for"):
        load_tokenizer(folder, "0" * 64)
    content = file.read_bytes()
    for damaged in (content[:-1], content.replace(b"true", b"null", 1) + b" ", b"\xff"):
        file.write_bytes(damaged)
        with pytest.raises(CorruptError, match=r"has the SHA-256 .*about.json says .*; copy it anew"):
            load_tokenizer(folder)
    for wrong in (b"{", b"[]", json.dumps({**json.loads(about.read_bytes()), "kind": "words"}).encode()):
        about.write_bytes(wrong)
        with pytest.raises(CorruptError, match="does not say what a tokenizer is"):
            load_tokenizer(folder)
    about.unlink()
    with pytest.raises(UsageError, match=r"has no about.json; it takes a folder"):
        load_tokenizer(folder)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"kind": "words"}, "it is one of bytes, bpe, wordpiece"),
        ({"vocab_size": 257}, "vocab_size is 257; it should be from 258"),
        ({"max_text_bytes": 0}, "max_text_bytes is 0"),
    ],
)
def test_settings_out_of_range_are_refused(make_dataset, setting, words):
    stream = make_dataset({"a": ["to be"]})["train"].stream()
    with pytest.raises(UsageError, match=words):
        train_tokenizer(stream, ("text",), **{"kind": "bpe", **setting})


def test_groups_without_text_are_refused(make_dataset):
    stream = make_dataset({"a": [""], "b": ["", ""]})["train"].stream()
    with pytest.raises(UsageError, match=r"2 groups of made0.* train have no text in text"):
        train_tokenizer(stream, ("text",), "bpe")


def test_bytes_that_are_no_text_take_the_bytes(make_dataset):
    dataset = make_dataset({"a": [{"data": b"\xff"}]}, {"data": Feature(dtype="bytes")})
    with pytest.raises(ExampleError, match="use the tokenizer of kind bytes"):
        train_tokenizer(dataset["train"].stream(), choose_text_features(dataset), "bpe")


STRING, NUMBER = Feature(dtype="string"), Feature(dtype="int64")
BYTES, IMAGE = Feature(dtype="bytes"), Feature(dtype="bytes", image_format="png")


@pytest.mark.parametrize(
    ("features", "stated", "chosen"),
    [
        ({"text": STRING, "title": STRING}, None, ("text",)),
        ({"title": STRING, "body": STRING, "n": NUMBER}, ["title", "body"], ("title", "body")),
        ({"speech": STRING, "n": NUMBER, "image": IMAGE}, None, ("speech",)),
        ({"data": BYTES, "image": IMAGE}, None, ("data",)),
        ({"text": BYTES, "title": STRING}, None, ("text",)),
    ],
)
def test_text_is_chosen_by_rule(make_dataset, features, stated, chosen):
    dataset = make_dataset({"a": [_example(features)]}, features, {"text_features": stated})
    assert choose_text_features(dataset) == chosen


@pytest.mark.parametrize(
    ("features", "stated", "names", "words"),
    [
        ({"image": IMAGE, "label": NUMBER}, None, None, r"no feature of text.* image \(png image\), label \(int64\)"),
        ({"path": STRING, "label": NUMBER}, [], None, r"says that it has no text.* label \(int64\), path \(string\)"),
        ({"a": STRING, "b": STRING}, None, None, r"several features of text.* a \(string\), b \(string\)"),
        ({"a": STRING, "n": NUMBER}, None, ["n"], "feature 'n' of .* is int64, no text"),
        ({"a": STRING, "n": NUMBER}, None, [], "no feature of .* is named"),
    ],
)
def test_no_text_is_refused_with_what_there_is(make_dataset, features, stated, names, words):
    dataset = make_dataset({"a": [_example(features)]}, features, {"text_features": stated})
    with pytest.raises(UsageError, match=words):
        choose_text_features(dataset, names)
    with pytest.raises(UnknownKeyError, match="has no feature 'x'"):
        choose_text_features(dataset, ["x"])


def _example(features):
    values = {"string": "x", "bytes": b"x", "int64": 1}
    return {name: values[feature.dtype] for name, feature in features.items()}


def test_features_are_joined_by_lines():
    batch = pa.RecordBatch.from_pylist([{"a": "x", "b": "y"}, {"a": None, "b": "z"}, {"a": None, "b": None}])
    assert texts_of(batch, ["a", "b"]).to_pylist() == ["x\ny", "z", ""]
    assert texts_of(batch, ["a"]).to_pylist() == ["x", "", ""]
    mixed = pa.record_batch({"a": pa.array(["é"]), "b": pa.array([b"\xff"])})
    assert texts_of(mixed.slice(0, 0), ["a", "b"]).to_pylist() == []
    assert texts_of(mixed, ["a", "b"]).to_pylist() == ["é\n".encode() + b"\xff"]
