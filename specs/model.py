"""The model of a spec. It is the YAML file, the form of the Prefect UI and the JSON Schema of both."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetJsonSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema

from forms.patterns import ALIAS, DATASET_NAME, ROOT, VERSION
from groupstream import layout
from groupstream.catalog import LATEST
from partitioners import AnyPartitioner
from partitioners.splits import AnySplits
from sources import AnySource
from specs.credentials import no_credentials, no_credentials_in_root
from specs.form_of_spec import arrange_spec
from specs.runner import AnyRunner, Local
from validation import Checks


def _dataset_name(text: str) -> str:
    if not layout.is_name(text):
        raise ValueError("use lower-case letters, digits, - and _, beginning with a letter or digit; 100 at most")
    return text


def _version(text: str) -> str:
    if not layout.is_version(text):
        raise ValueError("write three numbers, such as 1.0.0")
    return text


def _alias(text: str) -> str:
    if not layout.is_alias(text):
        raise ValueError("use lower-case letters, digits, - and _, beginning with a letter; 64 at most")
    if text == LATEST:
        raise ValueError("latest moves by itself to the version with the largest number; leave it out")
    return text


def _text(pattern: str) -> WithJsonSchema:
    """What the form knows of a text: what does not match is refused before it is stored."""
    return WithJsonSchema({"type": "string", "pattern": pattern})


# One text in a spec, whose beginning says which store it is; tabs in the form.
_STORES = {
    "anyOf": [
        {"type": "null", "title": "As this deployment has it"},
        {"type": "string", "title": "Folder", "description": "A path on the machine of the build."},
        {"type": "string", "title": "Google Cloud Storage", "description": "Such as gs://bucket/datasets."},
        {"type": "string", "title": "Amazon S3", "description": "Such as s3://bucket/datasets."},
    ],
    "pattern": ROOT,
}


class Publish(BaseModel):
    """Where the version goes."""

    model_config = ConfigDict(frozen=True)

    root: Annotated[str | None, AfterValidator(no_credentials_in_root), WithJsonSchema(_STORES)] = Field(
        None,
        description="The folder of all datasets, or the address of one in a bucket. Default: $GROUPSTREAM_ROOT, or "
        "~/groupstream.",
    )
    version: Annotated[str, AfterValidator(_version), _text(VERSION)] | None = Field(
        None,
        description="Such as 1.2.0. Default: 1.0.0, then the next number that says what changed: 1.0.1 for the same "
        "examples in other bytes, 1.1.0 where features, groups or splits were added, 2.0.0 for all else. One that says "
        "less is refused.",
    )
    aliases: list[Annotated[str, AfterValidator(_alias), _text(ALIAS)]] = Field(
        [],
        description="Names that lead to the new version once it is published, such as candidate. A version that was "
        "there already keeps the names it has.",
    )
    shard_bytes: int | None = Field(
        None,
        ge=1 << 10,
        description="About how large a file should be. A group is never divided. Default: 256 MiB, or more where that "
        "would make over 1,024 files; 2 GiB at most.",
    )


class Spec(BaseModel):
    """What to build."""

    model_config = ConfigDict(frozen=True, title="Dataset")

    name: Annotated[str, AfterValidator(_dataset_name), _text(DATASET_NAME)] = Field(
        description="Name of the dataset, such as fedccnews-sample: lower-case letters, digits, - and _."
    )
    description: str = Field("", description="What it is, for people.")
    homepage: str = Field("", description="Where to read more about it, an https:// address.")
    license: str = Field(
        "", description="Under which licence it is, such as CC-BY-SA-4.0; its SPDX name if it has one."
    )
    citation: str = Field("", description="How to cite it, as text or BibTeX.")
    source: Annotated[AnySource, AfterValidator(no_credentials)] = Field(description="The base dataset.")
    partitioner: Annotated[AnyPartitioner, AfterValidator(no_credentials)] = Field(
        description="Which examples form a group."
    )
    splits: AnySplits | None = Field(None, description="How examples fall into splits. Default: all are in train.")
    label_feature: str | None = Field(
        None,
        description="The feature whose values are counted for each group. Default: the one that has class names, or "
        'else the one named label, if it is a number or text; "" for none.',
    )
    text_features: list[str] | None = Field(
        None, description="The features whose words are counted. Default: all that hold text."
    )
    seed: int = Field(
        0, ge=-(1 << 63), lt=1 << 63, description="Another seed stores the groups in another random order."
    )
    checks: Checks = Field(Checks(), description="What must hold before anything is published.")
    publish: Publish = Field(Publish(), description="Where the version goes.")
    runner: Annotated[AnyRunner, AfterValidator(no_credentials)] = Field(
        Local(), description="Where the build runs. It changes nothing in the result."
    )

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The form. See `forms.arranging`."""
        reference = handler(core)
        arrange_spec(handler.resolve_ref_schema(reference), handler.resolve_ref_schema)
        return reference

    def resolved(self) -> dict[str, Any]:
        """All that determines the result, defaults included; no place of the source or the result, nor how it runs."""
        left_out: dict[str, Any] = {
            "runner": True,
            "publish": {"root", "aliases"},
            "source": set(self.source.places),
            "partitioner": set(self.partitioner.places),
            "checks": {"groups": {"expected_file"}, "drift": {"accept"}},
        }
        return self.model_dump(mode="json", exclude=left_out)
