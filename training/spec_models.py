"""The models of a training spec. What they are: `training.models`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from training.spec_algorithms import Part


class Tokenizer(Part):
    """How text becomes tokens."""

    kind: Literal["bytes", "bpe", "wordpiece"] = Field(
        "bpe",
        description="bytes: a token for each; bpe: byte pairs, nothing is unknown; wordpiece: as BERT. All but bytes "
        "are trained on the groups that take part.",
    )
    vocab_size: int = Field(8192, ge=258, le=1 << 20, description="At most so many tokens; bytes have 258.")
    max_text_bytes: int = Field(16 << 20, ge=1, description="How much text it is trained on.")
    seed: int = Field(0, description="Of the groups whose text that is.")


class Transformer(Part):
    """A decoder-only transformer that predicts the next token."""

    kind: Literal["transformer"] = "transformer"
    size: Literal["tiny", "small", "base", "large"] = Field(
        "tiny",
        description="tiny: 2 layers of width 128; small: 6 / 384; base: 12 / 768; large: 20 / 2048, about 1 B.",
    )
    sequence_length: int = Field(64, ge=1, description="Tokens that are predicted of each sequence.")
    dtype: Literal["float32", "bfloat16"] = Field("float32", description="Of the arithmetic; bfloat16 on a GPU.")
    rematerialise: bool = Field(
        False, description="Compute layers again in the backward pass: a third slower, much less memory."
    )
    features: list[str] | None = Field(None, description="Whose text. Default: the features of text.")
    tokenizer: Tokenizer = Tokenizer()


class Cnn(Part):
    """A small convolutional network for images of one size."""

    model_config = ConfigDict(title="CNN")

    kind: Literal["cnn"] = "cnn"
    image: str | None = Field(None, description="The feature with the image. Default: the only one.")
    label: str | None = Field(None, description="The feature with the class. Default: the one with class names.")


class LogisticRegression(Part):
    """One layer, on images, or on numbers and categories."""

    model_config = ConfigDict(title="Logistic regression")

    kind: Literal["logistic_regression"] = "logistic_regression"
    numbers: list[str] = Field([], description="Features that are numbers. Default: none, an image is used.")
    categories: list[str] = Field(
        [], description="Features of text or whole numbers of which each value is a class: 1 for its own, 0 for others."
    )
    standardise: bool = Field(
        False, description="Give the numbers mean 0 and variance 1, as they are in the groups that take part."
    )
    image: str | None = Field(None, description="The feature with the image. Default: the only one.")
    label: str | None = Field(None, description="The feature with the class. Default: the one with class names.")

    @model_validator(mode="after")
    def _has_what_it_standardises(self) -> LogisticRegression:
        if self.standardise and not self.numbers:
            raise ValueError("standardise is for features that are numbers; name them under numbers, or leave it out")
        return self


AnyModel = Annotated[Transformer | Cnn | LogisticRegression, Field(discriminator="kind")]
