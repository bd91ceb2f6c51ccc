"""The page of the documentation: its specs can be read, and no partitioner is missing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import TypeAdapter

from partitioners import AnyPartitioner

_ROOT = Path(__file__).parents[2]
_PAGE = (_ROOT / "docs" / "partitioners.md").read_text(encoding="utf-8")
_SPECS = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", _PAGE, re.MULTILINE | re.DOTALL)]
_KINDS = {model.model_fields["kind"].default for model in get_args(get_args(AnyPartitioner)[0])}


@pytest.mark.parametrize("spec", _SPECS, ids=lambda spec: spec["partitioner"]["kind"])
def test_spec_of_the_page_can_be_read(spec: Any) -> None:
    assert TypeAdapter(AnyPartitioner).validate_python(spec["partitioner"], extra="forbid")


def test_every_kind_is_on_the_page_and_in_the_readme() -> None:
    readme = next(line for line in (_ROOT / "README.md").read_text().splitlines() if line.startswith("| [partitioner]"))
    for text in (_PAGE, readme):
        assert set(re.findall(r"`(\w+)`", text)) >= _KINDS
