"""Checks once whether the schema of a form is one.

That takes 0.4 s for the form of a build, several times at each deployment and at each run, and Prefect's server answers
nobody meanwhile.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable

from jsonschema import Draft202012Validator
from prefect.utilities.schema_tools import validation


def check_each_schema_once() -> None:
    """One that is none is checked again, and raises again."""
    for validator in (Draft202012Validator, validation._VALIDATOR):
        validator.check_schema = _once(validator.check_schema)


def _once(check: Callable[..., None]) -> Callable[..., None]:
    @functools.lru_cache(maxsize=64)
    def check_text(schema: str) -> None:
        check(json.loads(schema))

    return lambda schema, **_: check_text(json.dumps(schema, sort_keys=True))
