"""What a spec can ask of one feature of every example."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from groupstream.features import DType
from validation.bounds import refuse_empty_ranges


class TextRules(BaseModel):
    """Rules for a text that hold in any language: they count characters and words, and know none.

    A word is what stands between white space. White space is what `str.isspace` says; letters, with the marks that
    belong to them, and decimal digits are what Unicode calls so. A share of nothing, or a mean, breaks no rule.
    """

    model_config = ConfigDict(frozen=True, title="Rules for a text")

    min_words: int | None = Field(None, ge=0, description="Fewest words.")
    max_words: int | None = Field(None, ge=0, description="Most words.")
    min_mean_word_length: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="Least mean length of its words, in characters; prose has 4 to 8."
    )
    max_mean_word_length: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="Greatest mean length of its words; more is code or addresses."
    )
    max_word_length: int | None = Field(None, ge=1, description="Most characters of any one word.")
    min_share_of_letters: float | None = Field(
        None, ge=0, le=1, description="Least share of letters among the characters that are no white space, 0 to 1."
    )
    max_share_of_digits: float | None = Field(
        None, ge=0, le=1, description="Greatest share of digits among the characters that are no white space, 0 to 1."
    )
    max_share_of_repeated_lines: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Greatest share of its lines that stood in it before, 0 to 1. Empty ones, and white space at both "
        "ends of a line, do not count.",
    )
    max_repeated_character: int | None = Field(
        None, ge=1, description="Longest run of one and the same character that is no white space."
    )
    control_characters: bool = Field(True, description="Whether it may hold control characters but tabs and line ends.")
    replacement_characters: bool = Field(
        True, description="Whether it may hold U+FFFD, which stands where a text was decoded wrongly."
    )

    @model_validator(mode="after")
    def _bounds_in_order(self) -> TextRules:
        refuse_empty_ranges(self)
        mean, longest = self.min_mean_word_length, self.max_word_length
        if mean is not None and longest is not None and mean > longest:
            raise ValueError(
                f"min_mean_word_length {mean} is above max_word_length {longest}, so nothing could pass; change one"
            )
        return self


class ImageRules(BaseModel):
    """What must hold for an encoded image. It is decoded: all of it, not only its header."""

    model_config = ConfigDict(frozen=True, title="Rules for an image")

    min_width: int | None = Field(None, ge=1, description="Fewest pixels across.")
    max_width: int | None = Field(None, ge=1, description="Most pixels across.")
    min_height: int | None = Field(None, ge=1, description="Fewest pixels down.")
    max_height: int | None = Field(None, ge=1, description="Most pixels down.")
    channels: tuple[int, ...] | None = Field(
        None, min_length=1, description="Numbers of channels that are allowed: 1 is grey, 3 colour, 4 colour and alpha."
    )

    @model_validator(mode="after")
    def _bounds_in_order(self) -> ImageRules:
        refuse_empty_ranges(self)
        return self


class ExampleCheck(BaseModel):
    """What must hold for one feature of every example."""

    model_config = ConfigDict(frozen=True, title="Check of a feature")

    dtype: DType | None = Field(
        None, description="The type that the source must give it; another is refused before any example is read."
    )
    shape: tuple[int | None, ...] | None = Field(
        None,
        description="The shape that the source must give it, [] for one value, [null] for a list; another is refused "
        "before any example is read.",
    )
    nullable: bool = Field(False, description="Whether it may be missing.")
    min_length: int | None = Field(None, ge=0, description="Fewest characters, or items of a list.")
    max_length: int | None = Field(None, ge=0, description="Most characters, or items of a list.")
    min_value: float | None = Field(None, allow_inf_nan=False, description="Least value of a number.")
    max_value: float | None = Field(None, allow_inf_nan=False, description="Greatest value of a number.")
    finite: bool = Field(False, description="Whether a float must be a number: no NaN, no infinity.")
    allowed: tuple[str | int, ...] | None = Field(None, min_length=1, description="The only values allowed.")
    pattern: str | None = Field(
        None,
        min_length=1,
        description=r"An RE2 regular expression that must be found in the text; bind it with ^ and $, as ^https?://.",
    )
    forbidden_pattern: str | None = Field(
        None, min_length=1, description="An RE2 regular expression that must not be found in the text."
    )
    valid_utf8: bool = Field(False, description="Whether bytes must be valid UTF-8. Text always is.")
    text: TextRules | None = Field(None, description="Rules for a text.")
    image: ImageRules | None = Field(None, description="The bytes must be an image that decodes, of such a size.")

    @field_validator("pattern", "forbidden_pattern")
    @classmethod
    def _is_a_pattern(cls, pattern: str | None) -> str | None:
        if pattern is None:
            return None
        try:
            pc.match_substring_regex(pa.array([""]), pattern)  # of no text at all, it is not compiled
        except pa.ArrowInvalid as error:
            reason = str(error).removeprefix("Invalid regular expression: ")
            raise ValueError(f"it is refused by RE2: {reason}. Correct it as RE2's syntax asks") from error
        return pattern

    @model_validator(mode="after")
    def _bounds_in_order(self) -> ExampleCheck:
        refuse_empty_ranges(self)
        words = self.text.min_words if self.text is not None else None
        if words and self.max_length is not None and self.max_length < 2 * words - 1:
            raise ValueError(
                f"text.min_words {words} takes {2 * words - 1} characters, more than max_length {self.max_length}, "
                "so nothing could pass; change one"
            )
        if self.pattern is not None and self.pattern == self.forbidden_pattern:
            raise ValueError(f"pattern and forbidden_pattern are both {self.pattern!r}, so nothing could pass")
        return self
