"""Whether a version may have the number that the spec asks for: nobody else has it, and what it promises is so."""

from __future__ import annotations

from groupstream import ConflictError, SpecError
from groupstream.commit import claimed_by
from groupstream.stores import Store
from pipelines.changes import DraftChanges
from pipelines.numbering import Level, Taken, hindrance, level_between, next_number


def refuse_taken(wanted: str, taken: Taken, store: Store, name: str) -> None:
    """Refuses a number that another build or a deleted version has.

    Raises:
        ConflictError: it is so.
    """
    if taken.is_free(wanted):
        return
    if wanted in taken.deleted:
        what = "was deleted, and its number is never used again"
    else:
        who = claimed_by(store, f"{name}/{wanted}")
        what = f"was built from another spec or source, or is being built, by {who}; a version never changes"
    raise ConflictError(
        f"{name}@{wanted} in {store.root} {what}. Set publish.version to another number, or leave it out"
    )


def refuse_untrue(wanted: str, taken: Taken, changes: DraftChanges, store: Store, name: str) -> None:
    """Refuses a number that promises more of the version before it than is so, or of which the one after it does.

    Raises:
        SpecError: it is so.
        ConflictError: what is promised of a number near it, nobody can know.
    """
    base, after, level = taken.before(wanted), taken.after(wanted), Level.MAJOR
    if base is not None:
        found, step = changes.since(base), level_between(base, wanted)
        level, least = found.level, next_number(base, found.level, taken)
        if level > step:
            raise SpecError(
                f"publish.version {wanted} promises {step.promise(base)}; but: {found.why}. "
                f"Leave it out, or write {least}"
            )
    if after is not None and (step := level_between(wanted, after)) < Level.MAJOR:
        found = changes.until(after)
        if found.level > step:
            raise SpecError(
                f"publish.version {wanted}: {after} is published and promises {step.promise(wanted)}; but in "
                f"{after}: {found.why}. Leave it out"
            )
    if other := hindrance(wanted, base, level, taken):
        is_deleted = other in taken.deleted
        what = "deleted" if is_deleted else f"claimed by {claimed_by(store, f'{name}/{other}')} and not published yet"
        raise ConflictError(
            f"publish.version {wanted}: {other} was {what}, and one of the two promises what the other "
            f"holds, which nobody can tell. Leave it out, or write {next_number(base, Level.MAJOR, taken)}"
        )
