"""How much is tried: every combination with GROUPSTREAM_TESTS=all, an hour more of tests; else each value in turn."""

from __future__ import annotations

import os

import pytest

ALL = os.environ.get("GROUPSTREAM_TESTS") == "all"
ONLY_WITH_ALL = pytest.mark.skipif(not ALL, reason="others show most of it; GROUPSTREAM_TESTS=all runs it")
