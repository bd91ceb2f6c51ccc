"""The page of sources shows a spec of every kind, and each of them can be read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import TypeAdapter

from sources import AnySource
from sources.choice import Selection
from specs.model import Spec

PAGE = (Path(__file__).parents[2] / "docs/sources.md").read_text(encoding="utf-8")
BLOCKS = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]
KINDS = {model.model_fields["kind"].default for model in get_args(get_args(AnySource)[0])}


@pytest.mark.parametrize("fields", BLOCKS, ids=lambda fields: fields.get("name", "features"))
def test_every_block_is_a_spec_or_a_selection(fields: dict[str, Any]) -> None:
    if "name" in fields:
        Spec.model_validate(fields, extra="forbid")
    else:
        TypeAdapter(Selection).validate_python(fields["features"])


def test_every_kind_has_a_spec_and_a_line_of_the_table() -> None:
    assert {fields["source"]["kind"] for fields in BLOCKS if "name" in fields} == KINDS
    assert set(re.findall(r"^\| \[`(\w+)`\]", PAGE, re.MULTILINE)) == KINDS
