"""What a spec says of a feature to keep: its type, and what the source calls it."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_serializer, model_validator
from pydantic_core import CoreSchema

from groupstream.features import DType


class FeatureChoice(BaseModel):
    """A feature to keep. A type alone, such as `float32`, says the same as `{dtype: float32}`."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, title="Feature")

    dtype: DType | None = Field(None, description="The type to store it with. Default: the one that it has.")
    source_name: str | None = Field(None, alias="from", description="Its name in the source. Default: the same name.")

    @model_validator(mode="before")
    @classmethod
    def _type_alone(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value not in get_args(DType):
            raise ValueError(f"input should be {', '.join(map(repr, get_args(DType)))}, or a mapping: dtype, from")
        return {"dtype": value}

    @model_serializer
    def _as_written(self) -> Any:
        if self.source_name is None and self.dtype is not None:
            return self.dtype
        found = {"dtype": self.dtype, "from": self.source_name}
        return {key: value for key, value in found.items() if value is not None}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """A form takes both ways of writing it."""
        full = handler.resolve_ref_schema(handler(schema.get("schema", schema)))
        return {"anyOf": [{"enum": list(get_args(DType)), "type": "string"}, full]}


Selection = dict[str, FeatureChoice] | list[str] | None

SELECTION_HELP = (
    'Which features to keep: a list of names, or names with types such as {"text": "string", "score": "float32"}; '
    '{"words": {"from": "text", "dtype": "string"}} renames. Default: all, with the types they have.'
)


def names_in_source(wanted: Selection) -> dict[str, str]:
    """For each feature that is chosen, what the source calls it."""
    if isinstance(wanted, dict):
        return {name: choice.source_name or name for name, choice in wanted.items()}
    return {name: name for name in wanted or ()}


def declared_dtypes(wanted: Selection) -> dict[str, DType]:
    """The types that are declared, by the names in the source."""
    if not isinstance(wanted, dict):
        return {}
    return {choice.source_name or name: choice.dtype for name, choice in wanted.items() if choice.dtype is not None}
