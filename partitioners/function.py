"""By a function of your own, of one example."""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable
from numbers import Integral
from typing import Any, Literal

import pyarrow as pa
from pydantic import ConfigDict, Field, field_validator

from groupstream import ExampleError, SpecError
from partitioners.partitioner import ExampleIds, RulePartitioner
from partitioners.words import listed, quoted

ALLOWED_PACKAGES = "GROUPSTREAM_ALLOWED_PACKAGES"

_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")

Function = Callable[[dict[str, Any]], "str | bytes | int | None"]


class ByFunction(RulePartitioner):
    """The group that a Python function returns: text, bytes, a whole number, or None for no group.

    The function gets one example as a dict of the features that are named, and must return the same whenever it gets
    the same. It is imported only from the packages that the environment variable GROUPSTREAM_ALLOWED_PACKAGES lists,
    on every worker: a spec, or a form, must never be a way to run any code there is. About 1 us an example and what
    the function takes: the other kinds are up to 20 times faster.

    Source: get_key_fn of Dataset Grouper (Charles et al. 2023, "Towards Federated Foundation Models"); theirs gets
    the whole example, ours the features that it names, so that only these are decoded.
    """

    model_config = ConfigDict(title="Function")

    kind: Literal["function"] = "function"
    function: str = Field(
        description="package.module:function, of a package that GROUPSTREAM_ALLOWED_PACKAGES lists.",
        json_schema_extra={"pattern": f"^{_NAME.pattern}$"},
    )
    features: list[str] = Field(min_length=1, description="The features that the function gets.")

    @field_validator("function")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError("write it as package.module:function, such as my_rules.clients:client_of")
        return name

    @property
    def in_words(self) -> str:
        """See `Partitioner.in_words`."""
        return f"One group for each value that {quoted(self.function)} returns for {listed(self.features)}."

    @property
    def reads(self) -> frozenset[str]:
        """See `Partitioner.reads`."""
        return frozenset(self.features)

    def refuse_foreign(self) -> None:
        """Refuses a function of a package that is not allowed, before anything is imported.

        Raises:
            SpecError: it is of another package.
        """
        _refuse_foreign(self.function.partition(":")[0], self.function, os.environ.get(ALLOWED_PACKAGES, ""))

    def identity(self) -> dict[str, Any]:
        """The module's source: when it is changed, the next build is another version.

        Raises:
            SpecError: the function cannot be imported, or may not be.
        """
        module = sys.modules[_import(self.function).__module__]
        return {"sha256": hashlib.sha256(inspect.getsource(module).encode()).hexdigest()}

    @property
    def packages(self) -> tuple[str, ...]:
        """Those at the top that its code is in: what the function calls may lie anywhere there.

        Raises:
            SpecError: the function cannot be imported, or may not be.
        """
        modules = self.function.partition(":")[0], _import(self.function).__module__
        return tuple(sorted({module.partition(".")[0] for module in modules}))

    def assign(self, batch: pa.RecordBatch, ids: ExampleIds) -> pa.Array:
        """See `Rule.assign`.

        Raises:
            ExampleError: the function fails, or returns what is no group id.
        """
        function = _import(self.function)
        examples = batch.select(sorted(self.reads)).to_pylist()
        groups = [self._group(function, example, i, ids) for i, example in enumerate(examples)]
        return pa.array(groups, pa.binary())

    def _group(self, function: Function, example: dict[str, Any], i: int, ids: ExampleIds) -> bytes | None:
        try:
            return _as_id(function(example))
        except Exception as error:
            raise ExampleError(
                f"{self.function} failed on piece {ids.piece_index}, row {ids.rows[i] + 1:,}: {str(example)[:200]}: "
                f"{type(error).__name__}: {error}. Mend the function, or the example"
            ) from error


def _as_id(group: Any) -> bytes | None:
    if group is None or isinstance(group, bytes):
        return group
    if isinstance(group, str):
        return group.encode()
    if isinstance(group, Integral) and not isinstance(group, bool):
        return str(int(group)).encode()
    raise TypeError(f"it returned {group!r:.80}, which is {type(group).__name__}; return str, bytes, int or None")


@functools.lru_cache(maxsize=16)
def _import(name: str) -> Function:
    return _import_allowed(name, os.environ.get(ALLOWED_PACKAGES, ""))


def _import_allowed(name: str, packages: str) -> Function:
    """The function of a name, if its package is allowed."""
    module_name, _, function_name = name.partition(":")
    _refuse_foreign(module_name, name, packages)
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError) as error:
        raise SpecError(
            f"partitioner.function {name!r} cannot be imported: {error}. Correct the name, or install the package here"
        ) from error
    if not inspect.isfunction(function):
        raise SpecError(f"partitioner.function {name!r} is {type(function).__name__}, not a function. Name a function")
    _refuse_foreign(function.__module__, name, packages)  # a module holds what it imports, too
    return function


def _refuse_foreign(module_name: str, name: str, packages: str) -> None:
    allowed = [package.strip() for package in packages.split(",") if package.strip()]
    if not any(f"{module_name}.".startswith(f"{package}.") for package in allowed):
        raise SpecError(
            f"partitioner.function {name!r} is of {module_name}, and {ALLOWED_PACKAGES} allows "
            f"{', '.join(allowed) or 'no package'}. Whoever runs the deployment allows it with: "
            f"export {ALLOWED_PACKAGES}={','.join([*allowed, module_name.partition('.')[0]])}"
        )
