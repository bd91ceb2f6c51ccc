"""A package of rules of one's own, which the deployment of these tests allows."""

from __future__ import annotations

from pathlib import Path

import pytest

from partitioners.function import ALLOWED_PACKAGES


@pytest.fixture(autouse=True)
def own_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "packages"))
    monkeypatch.setenv(ALLOWED_PACKAGES, "own_rules")
