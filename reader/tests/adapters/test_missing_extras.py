"""What is said where a library is not installed."""

from __future__ import annotations

import sys

import pytest

from groupstream import Split, UsageError
from groupstream.adapters import needed


@pytest.mark.parametrize(("method", "library"), [("to_jax", "jax"), ("to_torch", "torch")])
def test_the_extra_is_named(varied: Split, method: str, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, "groupstream.adapters.torch_data", raising=False)
    words = rf"^this needs {library}, which is not installed; get it with: pip install 'groupstream\[{library}\]'$"
    with pytest.raises(UsageError, match=words):
        getattr(varied.select("small"), method)()


def test_a_library_that_is_broken_is_not_called_missing() -> None:
    with pytest.raises(ModuleNotFoundError):
        needed("json.nothing", "torch")
