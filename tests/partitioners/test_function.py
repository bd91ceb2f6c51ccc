"""By a function of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pydantic import ValidationError

from groupstream import ExampleError, SpecError
from partitioners import ByFunction, ExampleIds
from partitioners.function import ALLOWED_PACKAGES, _import, _import_allowed


def _groups(name: str, values: Any) -> list[bytes | None]:
    batch = pa.record_batch({"key": values, "other": [[1]] * len(values)})
    rows = np.arange(len(batch)) + 1_000
    return ByFunction(function=f"own_rules:{name}", features=["key"]).assign(batch, ExampleIds(4, rows)).to_pylist()


@pytest.mark.parametrize(
    ("values", "groups"),
    [
        (["é", "", None], ["é".encode(), b"", None]),
        (pa.array([b"\xff", None]), [b"\xff", None]),
        ([-3, 10**12], [b"-3", b"1000000000000"]),
        (pa.array([], pa.int64()), []),
    ],
)
def test_what_it_returns_is_the_group_id(values: Any, groups: list[bytes | None]) -> None:
    assert _groups("as_given", values) == groups


@pytest.mark.parametrize(
    ("values", "kind"), [(pa.array([1.5]), "float"), (pa.array([True]), "bool"), (pa.array([["x"]]), "list")]
)
def test_what_is_no_group_id_is_refused(values: pa.Array, kind: str) -> None:
    with pytest.raises(ExampleError, match=rf"it returned .*, which is {kind}; return str, bytes, int or None"):
        _groups("as_given", values)


def test_error_names_the_place_and_the_example() -> None:
    with pytest.raises(
        ExampleError,
        match=r"own_rules:divided failed on piece 4, row 1,002: {'key': 0}: ZeroDivisionError: .* "
        r"Mend the function, or the example",
    ):
        _groups("divided", [1, 0])


def test_content_of_the_module_is_part_of_the_identity() -> None:
    identity = ByFunction(function="own_rules:first_letter", features=["key"]).identity()
    assert len(identity["sha256"]) == 64
    other = ByFunction(function="partitioners.keys:as_text", features=["key"])
    with pytest.raises(SpecError, match="GROUPSTREAM_ALLOWED_PACKAGES allows own_rules"):
        other.identity()


def test_its_packages_are_those_that_its_code_is_in(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ByFunction(function="own_rules:first_letter", features=["key"]).packages == ("own_rules",)
    monkeypatch.setenv(ALLOWED_PACKAGES, "own_rules,textwrap")
    _import.cache_clear()
    assert ByFunction(function="own_rules:foreign", features=["key"]).packages == ("own_rules", "textwrap")
    _import.cache_clear()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_rules:getcwd", "is builtin_function_or_method, not a function"),
        ("own_rules:NO_FUNCTION", "is int, not a function. Name a function"),
        ("own_rules:Any", "not a function"),
        ("own_rules:foreign", r"is of textwrap, and GROUPSTREAM_ALLOWED_PACKAGES allows own_rules"),
        ("own_rules:missing", "cannot be imported: .*no attribute 'missing'"),
        ("own_rules.missing:f", "cannot be imported: No module named"),
        ("own_rules2:f", "allows own_rules. .*: export GROUPSTREAM_ALLOWED_PACKAGES=own_rules,own_rules2"),
        ("os:system", "is of os, and"),
        ("os.path:join", "export GROUPSTREAM_ALLOWED_PACKAGES=own_rules,os$"),
    ],
)
def test_only_functions_of_allowed_packages_are_imported(name: str, message: str) -> None:
    partitioner = ByFunction(function=name, features=["key"])
    for ask in (partitioner.identity, lambda: partitioner.assign(pa.record_batch({"key": ["x"]}), None)):
        with pytest.raises(SpecError, match=message):
            ask()


def test_nothing_is_allowed_by_default() -> None:
    with pytest.raises(SpecError, match=r"allows no package\. .*: export GROUPSTREAM_ALLOWED_PACKAGES=own_rules$"):
        _import_allowed("own_rules:first_letter", "")


def test_a_package_is_allowed_with_what_is_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _import_allowed("partitioners.url_host:host_of", " x , partitioners,") is not None
    assert _import_allowed("partitioners.url_host:host_of", "partitioners.url_host") is not None
    with pytest.raises(SpecError, match=r"allows partitioners\.url, y\."):
        _import_allowed("partitioners.url_host:host_of", "partitioners.url,y")
    monkeypatch.setenv(ALLOWED_PACKAGES, "partitioners")
    assert ByFunction(function="partitioners.url_host:host_of", features=["url"]).identity()


@pytest.mark.parametrize("name", ["own_rules", "own_rules:", ":f", "own_rules:a.b", "own rules:f", "a:b:c", "../x:f"])
def test_name_is_a_module_and_a_function(name: str) -> None:
    with pytest.raises(ValidationError, match=r"write it as package\.module:function"):
        ByFunction(function=name, features=["key"])
