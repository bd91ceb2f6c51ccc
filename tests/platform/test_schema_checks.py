"""Whether a schema is one is checked once."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from prefect.utilities.schema_tools import validation

from orchestration.schema_checks import check_each_schema_once


def test_each_schema_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The form of a build takes 0.4 s, in which the server answers nobody."""
    validators = (jsonschema.Draft202012Validator, validation._VALIDATOR)
    checked: list[Any] = []
    for validator in validators:
        check = validator.check_schema

        def count(schema: Any, check: Any = check, **options: Any) -> None:
            checked.append(schema)
            check(schema, **options)

        monkeypatch.setattr(validator, "check_schema", count)
    check_each_schema_once()
    for _ in range(3):
        jsonschema.validate({"a": 1}, {"properties": {"a": {"type": "integer"}}})
        validation.validate({"a": 1}, {"properties": {"a": {"type": "integer"}}}, raise_on_error=True)
        with pytest.raises(jsonschema.SchemaError):
            jsonschema.validate({}, {"type": "no type"})
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"a": "b"}, {"properties": {"a": {"type": "integer"}}})
    assert len([each for each in checked if "properties" in each]) == len(validators)
    assert [each for each in checked if "properties" not in each] == [{"type": "no type"}] * 3
