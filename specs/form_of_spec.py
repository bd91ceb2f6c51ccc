"""What the form of a spec adds to that of any model: which fields may hold addresses, and the tabs of partitioners."""

from __future__ import annotations

from typing import Any, get_args

from forms.arranging import Resolve, Schema, arrange, group_tabs, kinds_of, refuse_credentials
from partitioners import AnyPartitioner
from sources import AnySource


def arrange_spec(model: Schema, resolve: Resolve) -> None:
    """Arranges the schema of a spec, in place. See `forms.arranging`."""
    arrange(model, resolve)
    _refuse_credentials(model["properties"], resolve)
    group_tabs(model["properties"]["partitioner"], groups_of_partitioners(), resolve)


def places_by_kind(union: Any) -> dict[str, frozenset[str]]:
    """By kind, the keys that say where something lies."""
    models = get_args(get_args(union)[0])
    return {model.model_fields["kind"].default: model.places for model in models}


def groups_of_partitioners() -> dict[str, list[str]]:
    """Their kinds: natural are those that tell the group of an example by what it holds, synthetic those that draw."""
    kinds = list(places_by_kind(AnyPartitioner))
    first_drawn = kinds.index("iid")
    return {"Natural groups": kinds[:first_drawn], "Synthetic groups": kinds[first_drawn:]}


def _refuse_credentials(fields: Schema, resolve: Resolve) -> None:
    """In every field that may hold an address, as `specs.credentials` looks at it."""
    for name, union in (("source", AnySource), ("partitioner", AnyPartitioner)):
        places = places_by_kind(union)
        for kind, model in kinds_of(fields[name], resolve).items():
            refuse_credentials(model, places[kind])
    for model in kinds_of(fields["runner"], resolve).values():
        refuse_credentials(model, frozenset(model["properties"]) - {"kind"})
    refuse_credentials(resolve(fields["publish"]), frozenset(["root"]))
    refuse_credentials(resolve(resolve(fields["checks"])["properties"]["groups"]), frozenset(["expected_file"]))
