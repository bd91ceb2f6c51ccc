"""The templates of the pages."""

from __future__ import annotations

import functools
from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template

from cards.text import finalize


@functools.cache
def template(name: str) -> Template:
    """A template, by its path below `cards`."""
    folder = resources.files("cards")
    environment = Environment(
        autoescape=True,
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(lambda name: folder.joinpath(name).read_text(encoding="utf-8")),
    )
    return environment.get_template(name)
