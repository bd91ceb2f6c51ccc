"""The public surface is a list."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import groupstream

PUBLIC = [
    "CheckError",
    "Cohort",
    "Cohorts",
    "ConflictError",
    "CorruptError",
    "Dataset",
    "DeprecatedVersionWarning",
    "ExampleError",
    "Feature",
    "Group",
    "GroupStream",
    "GroupstreamError",
    "Manifest",
    "PublishError",
    "RefNotFoundError",
    "SourceError",
    "SpecError",
    "Split",
    "StoreError",
    "UnknownKeyError",
    "UsageError",
    "WorkerError",
    "open",
    "pull",
]


def test_the_public_names_are_these() -> None:
    assert groupstream.__all__ == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_there_and_says_what_it_is(name: str) -> None:
    assert getattr(groupstream, name).__doc__


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'groupstream' has no attribute 'nonsense'"):
        _ = groupstream.nonsense


def test_every_error_is_in_the_tree_of_the_docstring_with_its_exit_code() -> None:
    from groupstream import errors

    assert errors.__doc__
    kinds = {n: k for n, k in vars(errors).items() if isinstance(k, type)}
    assert set(re.findall(r"\w+Error\b", errors.__doc__)) - {"KeyError"} == set(kinds)
    for name, kind in kinds.items():
        assert kind.exit_code == (2 if issubclass(kind, errors.UsageError) else 1)
        assert name in PUBLIC


def test_the_library_depends_on_six_others_at_most() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    names = [re.split(r"[<>=!~\[; ]", line)[0] for line in project["dependencies"]]
    assert names == ["google-crc32c", "numpy", "protobuf", "pyarrow", "pydantic", "typer"]
    assert project["version"] == groupstream.__version__
