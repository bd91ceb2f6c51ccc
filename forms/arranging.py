"""The form of a model: its JSON Schema, arranged so that Prefect draws it well and names the field that is wrong.

Pydantic makes the schema; Prefect's page draws it, and its server holds what was entered against it before a run is
made and stored. What is changed here changes nothing in what a spec may be:

- A value that may be left out is one field that may stay empty, not two tabs, the type and None.
- The fields that are needed come first, the kind last.
- The tabs of a union let any fields pass, and the kind says which rules hold: so the server names the field that is
  wrong, where a plain union says that the whole does not fit any of its kinds.
- An address with a user, a password or a signature does not fit its field, and so is never stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from forms.patterns import WITH_CREDENTIALS

Schema = dict[str, Any]
Resolve = Callable[[Schema], Schema]

_KIND_HELP = (
    "Which kind this is: the tab sets it. Where a run is edited, it tells the kind even if another tab is open."
)
_WORDS = {"integer": "Number", "number": "Number", "string": "Text", "array": "List", "object": "Names and values"}
_NOTHING = {"type": "null", "title": "None"}
_TAGS = ("kind", "by")


def arrange(model: Schema, resolve: Resolve) -> None:
    """Arranges the schema of a model, and all that it refers to, in place.

    Args:
        model: an object with properties.
        resolve: gives what a {"$ref": ...} leads to.
    """
    _arrange(model, resolve, set())


def refuse_credentials(model: Schema, names: frozenset[str]) -> None:
    """Makes an address with a secret no value of these properties of a model, nor of the values in them."""
    for name in names & model["properties"].keys():
        field = model["properties"][name]
        field["not"] = WITH_CREDENTIALS
        for inner in ("items", "additionalProperties"):
            if isinstance(field.get(inner), dict | bool):
                field[inner] = {**(field[inner] if isinstance(field[inner], dict) else {}), "not": WITH_CREDENTIALS}


def kinds_of(field: Schema, resolve: Resolve) -> dict[str, Schema]:
    """The models of a union of kinds, by kind; none where it is no such union."""
    models = [resolve(each) for each in field.get("oneOf") or field.get("anyOf") or () if "$ref" in each]
    return {model["properties"][tag]["const"]: model for model in models if (tag := _tag_of(model))}


def group_tabs(field: Schema, groups: Mapping[str, Iterable[str]], resolve: Resolve) -> None:
    """Puts the tabs of a union of kinds below a few tabs of their own: twenty in a row do not fit on a page.

    Args:
        groups: what each of the few is called, and its kinds.
    """
    kinds = kinds_of(field, resolve)
    tabs = dict(zip(kinds, field["anyOf"], strict=True))
    field["anyOf"] = [
        {
            "title": title,
            "type": "object",
            # Where a run is edited, a page opens the tab that has most of its keys.
            "properties": {name: {} for kind in some for name in kinds[kind]["properties"]},
            "anyOf": [tabs[kind] for kind in some],
        }
        for title, some in groups.items()
    ]


def _arrange(model: Schema, resolve: Resolve, done: set[int]) -> None:
    if id(model) in done or "properties" not in model:
        return
    done.add(id(model))
    model["description"] = _first_paragraph(model.get("description", ""))
    needed = model.get("required", [])
    fields = {name: _field(name, field, name in needed) for name, field in model["properties"].items()}
    for field in fields.values():
        for inner in _references(field):
            _arrange(resolve(inner), resolve, done)
        _name_tabs(field, resolve)
        if isinstance(field.get("items"), dict):
            _name_tabs(field["items"], resolve)
    model["properties"] = {name: fields[name] for name in sorted(fields, key=lambda name: _rank(name, needed))}


def _field(name: str, field: Schema, is_needed: bool) -> Schema:
    field = {"title": _in_words(name), **field}
    if name in _TAGS and "const" in field:
        return {**field, "description": _KIND_HELP}
    is_free = field.get("type") == "string" and not field.keys() & {"enum", "pattern"}
    if is_free and (is_needed or field.get("default")):
        field.setdefault("minLength", 1)
    if field["title"] == name.replace("_", " ").title():
        field["title"] = _in_words(name)
    return _without_null(field)


def _without_null(field: Schema) -> Schema:
    """One field where there were two tabs: what is left empty is left out. Prefect's server takes null there, too."""
    kinds = field.get("anyOf", [])
    if any("title" in kind for kind in kinds):
        return field
    others = [kind for kind in kinds if kind.get("type") != "null"]
    if len(others) == len(kinds) or field.get("default", "") is not None:
        return field
    if len(others) == 1 and "$ref" not in others[0] and "oneOf" not in others[0]:
        rest = {key: value for key, value in field.items() if key not in ("anyOf", "default")}
        return {**others[0], **rest}
    flat = [branch for kind in others for branch in kind.get("oneOf", [kind])]
    return {**field, "anyOf": [*flat, _NOTHING]}


def _name_tabs(field: Schema, resolve: Resolve) -> None:
    for key in ("anyOf", "oneOf"):
        if key in field:
            field[key] = [_named(branch) for branch in field[key]]
    if kinds := kinds_of(field, resolve):
        _check_by_kind(field, kinds)
    elif [list(branch) for branch in field.get("anyOf", ())] == [["$ref"], list(_NOTHING)]:
        (reference, nothing) = field["anyOf"]
        field["anyOf"] = [_tab(reference), nothing]
        field["allOf"] = [{"if": {"type": "null"}, "else": reference}]


def _named(branch: Schema) -> Schema:
    if "$ref" in branch or "title" in branch:
        return branch
    named = {"title": _WORDS.get(branch.get("type", ""), "None"), **branch}
    if branch.get("type") == "object":  # a tab of one is drawn empty; of what has no type, as text for JSON
        return {
            **{key: value for key, value in named.items() if key != "type"},
            "if": {"type": "object"},
            "else": False,
        }
    return named


def _check_by_kind(field: Schema, kinds: Mapping[str, Schema]) -> None:
    """See the module. A tab has an address of its own, in which its reference leads to what lets all pass.

    A page looks references up among the definitions of the whole schema, and draws the fields; the server follows
    them as JSON Schema says, from the nearest $id.
    """
    tag = next(iter(map(_tag_of, kinds.values())))
    branches = field.pop("oneOf", None) or field.pop("anyOf")
    refs = [branch for branch in branches if "$ref" in branch]
    usual = (field.get("default") or {}).get(tag)
    rules = [_rule(tag, kind, branch, kind == usual) for kind, branch in zip(kinds, refs, strict=True)]
    known = {"type": "object", "properties": {tag: {"enum": list(kinds)}}, "required": [] if usual else [tag]}
    rule = {"if": {"type": "null"}, "else": {"allOf": [known, *rules]}} if len(refs) < len(branches) else None
    field["anyOf"] = [_tab(branch) if "$ref" in branch else branch for branch in branches]
    field["allOf"] = [rule] if rule else [known, *rules]


def _rule(tag: str | None, kind: str, branch: Schema, is_usual: bool) -> Schema:
    given = {"properties": {tag: {"const": kind}}, "required": [] if is_usual else [tag]}
    return {"if": given, "then": {"$ref": branch["$ref"]}}


def _tab(branch: Schema) -> Schema:
    _, container, path = branch["$ref"].split("/")
    name = path if container == "$defs" else _class_name(path)  # pydantic renames what stands under $defs only
    return {"$id": f"tab:{name}", "$ref": branch["$ref"], container: {name: {}}}


def _class_name(name: str) -> str:
    """What pydantic calls a definition in the end, as long as no two classes have one name.

    >>> _class_name("sources__jsonl__JsonLines-Input__1")
    'JsonLines'
    """
    return name.partition("-")[0].rpartition("__")[2]


def _tag_of(model: Schema) -> str | None:
    return next((tag for tag in _TAGS if "const" in model.get("properties", {}).get(tag, {})), None)


def _references(field: Any) -> Iterator[Schema]:
    if isinstance(field, dict):
        if "$ref" in field:
            yield field
        for value in field.values():
            yield from _references(value)
    elif isinstance(field, list):
        for value in field:
            yield from _references(value)


def _rank(name: str, needed: list[str]) -> int:
    return 0 if name in needed else 2 if name in _TAGS else 1


def _in_words(name: str) -> str:
    """The key, as a label: whoever knows one finds the other.

    >>> _in_words("max_share_of_largest"), _in_words("num_groups")
    ('Max share of largest', 'Num groups')
    """
    return name.replace("_", " ").capitalize()


def _first_paragraph(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split())
