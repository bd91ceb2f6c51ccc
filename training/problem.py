"""What all trials of a run share: the groups, how they become arrays, and the model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import groupstream
from groupstream import Dataset, UsageError
from training.data.form import ClientForm
from training.data.held_out import DividedGroups, count_groups, divide_groups
from training.data.images import find_images
from training.data.labels import find_labels
from training.data.numbers import choose_numbers
from training.data.text import TextForm
from training.data.text_features import choose_text_features
from training.data.tokenizer import Tokenizer, load_tokenizer
from training.data.tokenizer_training import train_tokenizer
from training.models import (
    SIZES,
    CnnSizes,
    LogisticRegressionSizes,
    Model,
    TransformerSizes,
    cnn,
    logistic_regression,
    transformer,
)
from training.spec import TrainSpec, digest_of
from training.spec_models import Tokenizer as TokenizerSpec
from training.spec_models import Transformer


@dataclass(frozen=True)
class Problem:
    """What all trials share.

    Attributes:
        dataset: the version.
        groups: those that take part, and those that are held out.
        form: how a client becomes arrays.
        model: what is trained.
        sizes: of the model: TransformerSizes, or those of the others.
        tokenizer: None where there is no text.
    """

    dataset: Dataset
    groups: DividedGroups
    form: ClientForm
    model: Model
    sizes: TransformerSizes | CnnSizes | LogisticRegressionSizes
    tokenizer: Tokenizer | None = None

    @property
    def dtype(self) -> str:
        """Of the model's arithmetic."""
        return self.sizes.dtype if isinstance(self.sizes, TransformerSizes) else "float32"


def open_problem(spec: TrainSpec, folder: Path) -> Problem:
    """Opens the version and divides its groups; trains the tokenizer if `folder` has none of these settings yet.

    Raises:
        RefNotFoundError: there is no such version.
        UsageError: it has no text, no images or no labels, whatever the model needs.
    """
    dataset = groupstream.open(spec.dataset, spec.root)
    of = spec.evaluation
    groups = divide_groups(
        dataset, by=of.divide_by, held_out_split=of.held_out_split, fraction=of.fraction, seed=of.seed
    )
    num_held_out = count_groups(groups.held_out)
    if num_held_out < 2 and len(of.learning_rates) > 1:
        raise UsageError(
            f"{num_held_out} group of {dataset.manifest.ref} is held out, and one half of them has to choose the rate "
            "of fine-tuning; raise evaluation.fraction, change evaluation.seed, or name one learning rate"
        )
    if isinstance(spec.model, Transformer):
        return _of_text(spec, spec.model, dataset, groups, folder)
    labels = find_labels(dataset, spec.model.label)
    if spec.model.kind == "logistic_regression" and (spec.model.numbers or spec.model.categories):
        scaled_by = groups.training if spec.model.standardise else None
        numbers = choose_numbers(dataset, labels, spec.model.numbers, spec.model.categories, scaled_by)
        of_numbers = LogisticRegressionSizes(numbers.num_features, labels.num_classes)
        return Problem(dataset, groups, numbers, logistic_regression(of_numbers), of_numbers)
    images = find_images(dataset, labels, spec.model.image)
    height, width, channels = images.shape
    if spec.model.kind == "cnn":
        of_images = _sizes_of_images(height, width, channels, labels.num_classes)
        return Problem(dataset, groups, images, cnn(of_images), of_images)
    flat = LogisticRegressionSizes(height * width * channels, labels.num_classes)
    return Problem(dataset, groups, images, logistic_regression(flat), flat)


def _sizes_of_images(height: int, width: int, channels: int, num_classes: int) -> CnnSizes:
    try:
        return CnnSizes(height, width, channels, num_classes)
    except ValueError as error:
        raise UsageError(f"{error}; or train a logistic_regression") from error


def _of_text(spec: TrainSpec, of: Transformer, dataset: Dataset, groups: DividedGroups, folder: Path) -> Problem:
    features = choose_text_features(dataset, of.features)
    tokenizer = _tokenizer(of.tokenizer, groups, features, folder, dataset.manifest.digest)
    sizes = TransformerSizes(
        **SIZES[of.size],
        vocabulary_size=tokenizer.vocab_size,
        sequence_length=of.sequence_length,
        dtype=of.dtype,
        rematerialise=of.rematerialise,
    )
    form = TextForm(tokenizer, features, of.sequence_length)
    return Problem(dataset, groups, form, transformer(sizes), sizes, tokenizer)


def _tokenizer(
    of: TokenizerSpec, groups: DividedGroups, features: tuple[str, ...], folder: Path, dataset_digest: str
) -> Tokenizer:
    settings = {**of.model_dump(), "features": features, "groups": groups.rule, "dataset": dataset_digest}
    stored = folder / f"tokenizer-{digest_of(settings)[:12]}"
    if Tokenizer.is_saved(stored):
        return load_tokenizer(stored)
    tokenizer = train_tokenizer(
        groups.training,
        features,
        of.kind,
        vocab_size=of.vocab_size,
        max_text_bytes=of.max_text_bytes,
        seed=of.seed,
    )
    tokenizer.save(stored)
    return tokenizer
