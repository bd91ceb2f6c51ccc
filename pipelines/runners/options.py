"""Beam's pipeline options: those of a spec are held against what Beam knows before anything runs.

By itself Beam ignores an option that it does not know, and a value of the wrong type fails on a worker.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable, Mapping
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, _CommaSeparatedListAction

from groupstream import SpecError

_ONE_THREAD = (
    "is 1: each further thread of a worker process would hold examples up to runner.memory_bytes of its own. "
    "More processes need more cores: runner.machine_type"
)
_DECIDED = {
    "runner": "is what runner.kind says",
    "streaming": "has no meaning here: a build reads a source that ends",
    "dry_run": "would publish what never ran. See the job with runner.template_location",
    "direct_running_mode": "belongs to Beam's local runner, which is runner.kind local",
    "direct_num_workers": "belongs to Beam's local runner, which is runner.kind local",
    "number_of_worker_harness_threads": _ONE_THREAD,
    "template_location": "would submit nothing. See the job with the key runner.template_location",
    "output_executable_path": "would run nothing",
    "save_main_session": "is not needed: workers import what they run",
    "update": "has no meaning here: each build is a job of its own",
}


def pipeline_options(chosen: Mapping[str, Any], more: Mapping[str, Any]) -> PipelineOptions:
    """Options of a pipeline.

    Args:
        chosen: what the fields of the runner and we decide, by Beam's names; None is Beam's default.
        more: `runner.options` of the spec.

    Raises:
        SpecError: Beam does not know one of `more`, it has another type, or it is not for the spec to say.
    """
    known = _known_options()
    for name, value in more.items():
        if name in _DECIDED:
            raise SpecError(f"runner.options.{name} {_DECIDED[name]}. Leave it out")
        if name not in known:
            raise SpecError(f"runner.options.{name} is not an option of Beam {beam.__version__}; {_hint(name, known)}")
        if chosen.get(name) is not None:
            raise SpecError(f"runner.options.{name} is set already, by a key of the runner. Leave it out")
        if wanted := _misfit(known[name], value):
            raise SpecError(f"runner.options.{name} is {value!r}: Beam wants {wanted}")
    decided = {name: value for name, value in chosen.items() if value is not None}
    return PipelineOptions([], **more, **decided)


def _known_options() -> dict[str, argparse.Action]:
    """All options that this Beam knows, by name."""
    parser = argparse.ArgumentParser(add_help=False, conflict_handler="resolve")
    for kind in PipelineOptions.__subclasses__():
        kind._add_argparse_args(parser)
    return {action.dest: action for action in parser._actions}


def _hint(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, 3)
    return f"did you mean {' or '.join(map(repr, close))}?" if close else "leave it out"


def _misfit(action: argparse.Action, value: Any) -> str | None:
    """What the option takes, in words, where that is not `value`."""
    if action.choices:
        return None if value in action.choices else f"one of {', '.join(map(str, action.choices))}"
    if action.nargs == 0:
        return None if isinstance(value, bool) else "yes or no"
    if isinstance(action, argparse._AppendAction | _CommaSeparatedListAction):
        return None if isinstance(value, list) and all(isinstance(v, str) for v in value) else "a list of texts"
    if action.type is int:
        return None if isinstance(value, int) and not isinstance(value, bool) else "a whole number"
    if action.type is float:
        return None if isinstance(value, int | float) and not isinstance(value, bool) else "a number"
    is_text = type(action) is argparse._StoreAction and action.type in (None, str)
    return "a text" if is_text and not isinstance(value, str) else None
