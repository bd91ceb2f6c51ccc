"""What a build, and a preview of one, refuses once the examples are counted."""

from __future__ import annotations

from groupstream import CheckError, ExampleError
from pipelines.example_results import tolerance_in_words
from pipelines.tally import CHECK_PREFIX, NO_GROUP, Tally
from specs import Spec


def refuse_groupless(spec: Spec, tally: Tally) -> None:
    """Refuses examples without a group, where the spec does not say what to do with them.

    Raises:
        ExampleError: there are some, and `partitioner.missing` is to fail.
    """
    partitioner = spec.partitioner
    if (count := tally.dropped[NO_GROUP]) and partitioner.missing == "fail":
        raise ExampleError(
            f"{count:,} of {tally.examples_in:,} examples have no group: {_features(partitioner.reads)} gives none "
            f"({_places(tally, NO_GROUP, count)}). Set partitioner.missing to drop (they are counted) or to group"
        )


def refuse_dropped(spec: Spec, tally: Tally) -> None:
    """Refuses more examples without a group, or more that break a check, than the spec allows.

    Raises:
        ExampleError: examples without a group, and `partitioner.missing` is to fail.
        CheckError: more examples break a check than `checks.max_rejected` or `checks.max_rejected_share`.
    """
    refuse_groupless(spec, tally)
    broken = {reason: n for reason, n in tally.dropped.items() if reason.startswith(CHECK_PREFIX)}
    if (count := sum(broken.values())) > spec.checks.num_tolerated(tally.examples_in):
        found = "; ".join(f"{reason}: {n:,} ({_places(tally, reason, n)})" for reason, n in sorted(broken.items()))
        which = "max_rejected" if spec.checks.max_rejected_share is None else "max_rejected_share"
        raise CheckError(
            f"{count:,} of {tally.examples_in:,} examples break a check, checks.{which} allows "
            f"{tolerance_in_words(spec.checks, tally.examples_in)}: {found}. "
            f"Mend the source, or raise checks.{which} (they are left out, counted and kept in quarantine)"
        )


def _features(names: frozenset[str]) -> str:
    return " and ".join(f"feature {name!r}" for name in sorted(names))


def _places(tally: Tally, reason: str, count: int) -> str:
    places = [words for _, _, words in tally.offenders[reason]]
    return ", ".join(places) + (", ..." if count > len(places) else "")
