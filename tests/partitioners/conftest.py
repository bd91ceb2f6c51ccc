"""What the tests of partitioners import: their cases, and rules of one's own, which their deployment allows."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from partitioners.function import ALLOWED_PACKAGES

sys.path.insert(0, str(Path(__file__).parent / "packages"))


@pytest.fixture(autouse=True)
def own_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOWED_PACKAGES, "own_rules")
