"""What is wrong with a check can be told before any example is read: its feature is not there, or is another thing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
import pyarrow as pa

from groupstream import SpecError
from groupstream.features import Feature, Features
from validation.example_check import ExampleCheck
from validation.example_rules import measure
from validation.rule_kinds import number, short


def refuse_impossible_checks(checks: Mapping[str, ExampleCheck], features: Features) -> None:
    """Refuses checks that no example could answer, or that none could pass. Reads nothing.

    Raises:
        SpecError: a feature that is not there; a limit that does not fit its feature, or that none of its values keep.
    """
    for name, check in checks.items():
        if name not in features:
            raise SpecError(
                f"checks.examples names {name!r}, which the source does not give; it gives {', '.join(features)}"
            )
        _refuse_another_type(f"checks.examples.{name}", check, features[name])
        _refuse_unfit_limits(f"checks.examples.{name}", check, features[name])
        _refuse_no_number(f"checks.examples.{name}", check, features[name])
        _refuse_contradicting_values(f"checks.examples.{name}", name, check, features[name])


def _refuse_another_type(key: str, check: ExampleCheck, feature: Feature) -> None:
    if check.dtype not in (None, feature.dtype):
        raise SpecError(
            f"{key}.dtype {check.dtype!r} does not hold: the source gives {_described(feature)}; mend the source, "
            "declare the feature under source.features, or change the check"
        )
    if check.shape not in (None, feature.shape):
        raise SpecError(
            f"{key}.shape {_shape(check.shape)} does not hold: the source gives {_described(feature)}; "
            "mend the source or change the check"
        )


def _refuse_unfit_limits(key: str, check: ExampleCheck, feature: Feature) -> None:
    fitting = _fitting_limits(feature)
    for name in _LIMITS:
        limit = getattr(check, name)
        if limit not in (None, False) and name not in fitting:
            raise SpecError(
                f"{key}.{name} {_shown(limit)} does not apply to {_described(feature)}; {_way_out(name, feature)}"
            )
    if check.image is not None and find_spec("PIL") is None:
        raise SpecError(
            f"{key}.image decodes images with Pillow, which is not installed; get it with: "
            "pip install 'groupstream[images]'"
        )
    kind = str if feature.dtype in ("string", "bytes") else int
    if unfit := [value for value in check.allowed or () if type(value) is not kind]:
        raise SpecError(
            f"{key}.allowed {_shown(unfit[0])} does not apply to {_described(feature)}; "
            f"write {'text' if kind is str else 'whole numbers'}"
        )


_LIMITS = [name for name in ExampleCheck.model_fields if name not in ("dtype", "shape", "nullable")]


def _fitting_limits(feature: Feature) -> set[str]:
    """The limits that a feature can answer."""
    fitting = {"finite"} if feature.dtype == "float32" else set()
    if feature.is_list:
        return fitting | {"min_length", "max_length"}
    if feature.shape or feature.dtype == "bool":
        return fitting
    if feature.is_image:
        return fitting | {"min_length", "max_length", "image"}
    if feature.dtype in ("string", "bytes"):
        fitting |= {"min_length", "max_length", "allowed", "pattern", "forbidden_pattern", "valid_utf8"}
        return fitting | ({"text"} if feature.is_text else set())
    return fitting | {"min_value", "max_value"} | ({"allowed"} if feature.dtype != "float32" else set())


def _way_out(limit: str, feature: Feature) -> str:
    if limit == "text" and feature.dtype == "bytes" and not feature.shape and not feature.is_image:
        return "declare it string under source.features, or leave the rules out"
    return "change it or leave it out"


def _refuse_no_number(key: str, check: ExampleCheck, feature: Feature) -> None:
    """Refuses bounds with no value of the dtype between them."""
    if check.min_value is None and check.max_value is None:
        return
    info = np.finfo(np.float32) if feature.dtype == "float32" else np.iinfo(feature.dtype)
    lowest, highest = float(info.min), float(info.max)
    least = lowest if check.min_value is None else check.min_value
    greatest = highest if check.max_value is None else check.max_value
    between = greatest - least if feature.dtype == "float32" else math.floor(greatest) - math.ceil(least)
    if between < 0 or least > highest or greatest < lowest:
        asked = [f"{n} {number(v)}" for n in ("min_value", "max_value") if (v := getattr(check, n)) is not None]
        raise SpecError(f"{key}: no {feature.dtype} has {' and '.join(asked)}, so nothing could pass; change them")


def _refuse_contradicting_values(key: str, name: str, check: ExampleCheck, feature: Feature) -> None:
    """Refuses allowed values that another limit, or the dtype, does not allow."""
    for value in check.allowed or ():
        stored = value.encode() if feature.dtype == "bytes" and isinstance(value, str) else value
        try:
            batch = pa.record_batch({name: pa.array([stored], feature.arrow_type)})
        except (pa.ArrowInvalid, OverflowError, UnicodeEncodeError) as error:
            raise SpecError(f"{key}.allowed {_shown(value)} is no {feature.dtype}; leave it out") from error
        for (_, rule), measured in measure({name: check}, batch).items():
            if not rule.passes(measured)[0].as_py():
                raise SpecError(f"{key}.allowed {_shown(value)} breaks {rule.reason}; leave one of them out")


def _shown(limit: Any) -> str:
    if hasattr(limit, "model_dump"):
        return short(str(limit.model_dump(exclude_defaults=True)))
    return short(repr(limit))


def _shape(shape: tuple[int | None, ...] | None) -> str:
    return f"[{', '.join('null' if length is None else str(length) for length in shape or ())}]"


def _described(feature: Feature) -> str:
    image = f", an encoded {feature.image_format} image" if feature.is_image else ""
    return f"a feature of dtype {feature.dtype}{image}" + (
        f" and shape {_shape(feature.shape)}" if feature.shape else ""
    )
