"""What two bounds must be to one another."""

from __future__ import annotations

from pydantic import BaseModel


def refuse_empty_ranges(model: BaseModel) -> None:
    """Refuses a `min_x` above its `max_x`.

    Raises:
        ValueError: nothing could pass.
    """
    for name in type(model).model_fields:
        what = name.removeprefix("min_")
        least, greatest = getattr(model, name), getattr(model, f"max_{what}", None)
        if what != name and least is not None and greatest is not None and least > greatest:
            raise ValueError(f"min_{what} {least} is above max_{what} {greatest}, so nothing could pass")


def limit_in_words(least: float | None, greatest: float | None) -> str:
    """Two bounds as a person reads them.

    >>> limit_in_words(1, None), limit_in_words(1, 2000), limit_in_words(None, 0.5), limit_in_words(None, None)
    ('at least 1', 'at least 1, at most 2,000', 'at most 0.5', 'any')
    """
    bounds = [f"at least {least:,}"] if least is not None else []
    bounds += [f"at most {greatest:,}"] if greatest is not None else []
    return ", ".join(bounds) or "any"
