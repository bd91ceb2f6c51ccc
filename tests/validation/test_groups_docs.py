"""What the page about checks of groups shows is what a spec can ask."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from validation import Checks, GroupChecks

PAGE = Path(__file__).parents[2] / "docs" / "checks" / "groups.md"
ELSEWHERE = {"too_small", "too_large", "merged_group"}  # group-sizes.md


def test_the_spec_of_the_page_asks_everything() -> None:
    [shown] = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    fields = yaml.safe_load(shown)
    Checks.model_validate(fields["checks"], extra="forbid")
    assert set(fields["checks"]["groups"]) == set(GroupChecks.model_fields) - ELSEWHERE
