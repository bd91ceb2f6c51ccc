"""The real datasets of shared/data, from examples to arrays."""

from __future__ import annotations

import numpy as np
import pytest

from groupstream import UsageError
from training.data.held_out import divide_groups
from training.data.held_out_clients import HeldOutPacker
from training.data.images import find_images
from training.data.labels import find_labels
from training.data.packing import CohortPacker, Packing, total
from training.data.prefetch import prefetch, rounds
from training.data.text import TextForm
from training.data.text_features import choose_text_features
from training.data.tokenizer import SEPARATOR_ID
from training.data.tokenizer_training import train_tokenizer

pytestmark = pytest.mark.shared_data


def test_articles_by_title(real_dataset):
    dataset = real_dataset("wiki_en2015", 3)
    features = choose_text_features(dataset)
    divided = divide_groups(dataset, fraction=0.2, seed=1)
    tokenizer = train_tokenizer(divided.training, features, "bpe", vocab_size=2_000, max_text_bytes=1 << 19)
    form = TextForm(tokenizer, features, 64)
    cohorts = divided.training.select(*form.features).cohorts(16, seed=2, sampling="epochs")
    with prefetch(rounds(cohorts, 0, 3), CohortPacker(form, Packing(16, 4), 16)) as ahead:
        packed = [one for _, one in ahead]
    counts = total(one.counts for one in packed)
    assert counts.num_clients == 48 and counts.num_targets > 0.5 * 48 * 16 * 4 * 64
    first = packed[0].cohort
    text = next(iter(divided.training.filter(group_ids=first.group_ids[:1]))).table()["text"][0].as_py()
    tokens = first.batches["tokens"][0].reshape(-1, 65)[:, 1:].ravel()
    end = int(np.append(np.flatnonzero(tokens == SEPARATOR_ID), len(tokens))[0])
    assert text.startswith(tokenizer.decode(tokens[:end]).rstrip("\ufffd"))

    cohort = divided.held_out.select(*form.features).cohorts(20, seed=0, sampling="epochs")[0]
    packer = HeldOutPacker(form, Packing(8, 4), Packing(8, 4, short="pad"), 20, seed=3)
    tuning, testing, held_out = packer(cohort)
    assert held_out.num_clients == 20 and len(tuning.group_ids) == len(testing.group_ids) > 10
    assert held_out.num_too_small + held_out.num_without_targets + len(tuning.group_ids) == 20
    for one, other in zip(tuning.batches["tokens"], testing.batches["tokens"], strict=True):
        shared = {*map(bytes, one.reshape(-1, 65))} & {*map(bytes, other.reshape(-1, 65))}
        assert not {row for row in shared if any(row)}


def test_speeches_by_speaker(real_dataset):
    dataset = real_dataset("tinyshakespeare")
    form = TextForm(train_tokenizer(dataset["train"].stream(), ("text",), "bytes"), choose_text_features(dataset), 80)
    cohorts = dataset["train"].cohorts(100, seed=0, sampling="epochs")
    packer = CohortPacker(form, Packing(200, 10, short="pad"), 100)
    counts = total(packer(cohorts[round]).counts for round in range(cohorts.rounds_per_epoch))
    statistics = dataset["train"].info.statistics
    assert (counts.num_clients, counts.num_clients_cut) == (309, 0)
    assert counts.num_examples == counts.num_examples_read == statistics.num_examples == 7_222
    texts = sum(len(text.encode()) for group in dataset["train"] for text in group.table()["text"].to_pylist())
    assert counts.num_targets == texts + 7_222 - counts.num_examples_empty


@pytest.mark.parametrize(
    ("name", "shape", "num_classes"), [("cifar100_png", (32, 32, 3), 100), ("mnist_idx", (28, 28, 1), 10)]
)
def test_images_by_label(real_dataset, name, shape, num_classes):
    dataset = real_dataset(name, 1)
    with pytest.raises(UsageError, match=r"no text|no feature of text"):
        choose_text_features(dataset)
    labels = find_labels(dataset)
    form = find_images(dataset, labels)
    assert (form.shape, labels.num_classes) == (shape, num_classes)
    cohort, counts = CohortPacker(form, Packing(3, 8), 5)(dataset["train"].select(*form.features).cohorts(5, seed=1)[0])
    assert cohort.batches["image"].shape == (5, 3, 8, *shape)
    assert cohort.batches["mask"].all() and counts.num_clients_cut == 5
    assert [set(label.ravel().tolist()) for label in cohort.batches["label"]] == [{int(g)} for g in cohort.group_ids]
    assert cohort.batches["image"].std() > 10
