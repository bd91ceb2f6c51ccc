"""What a report says first: who is ahead, before and after personalization, and whether that is certain."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cards.text import format_count, format_number_of, visible_line
from cards.training.facts import PROTOCOL_WORDS, Protocol
from cards.training.numbers import format_percent, format_two, format_value
from cards.training.paired import MIN_GROUPS, Pairs, pair_losses
from cards.training.percentiles import MOMENTS, percentiles_of
from cards.training.reported import Reported
from cards.training.tables import floats, order_algorithms, plain_name

MAX_NAME = 24  # characters
_END_SHARE = 0.1


class Median(NamedTuple):
    """The median loss of an algorithm at some moment, as mean over seeds."""

    algorithm: str
    value: float

    @property
    def name(self) -> str:
        """As it is shown."""
        return visible_line(self.algorithm, MAX_NAME)


class Comparison(NamedTuple):
    """Two algorithms at some moment."""

    first: Median
    second: Median
    pairs: Pairs

    @property
    def leader(self) -> str | None:
        """Whose loss is lower, group by group, as chance would rarely have it and in each seed; None where nobody's is.

        Nobody leads whose median is higher than that of the other, or not finite.
        """
        certain = not self.pairs.is_too_few and not self.pairs.is_chance and self.pairs.do_seeds_agree
        return self._lower.algorithm if certain and self._do_medians_agree else None

    @property
    def _lower(self) -> Median:
        """Whose loss is lower in more groups."""
        return self.first if self.pairs.sign <= 0 else self.second

    @property
    def _other(self) -> Median:
        return self.second if self._lower is self.first else self.first

    @property
    def _do_medians_agree(self) -> bool:
        return not math.isnan(self._lower.value) and not self._lower.value > self._other.value

    def leading(self, word: str = "median ") -> str:
        """The numbers of the leader and of the other."""
        values = format_two(self._lower.value, self._other.value)
        return f"({word}{values[0]} against {values[1]})"

    def both(self, word: str = "median ") -> str:
        """The numbers of the first and of the second."""
        return word + " and ".join(format_two(self.first.value, self.second.value))

    def undecided(self, word: str = "median ") -> str:
        """Why nobody is ahead. Too few groups are said of both moments together."""
        names = f"{self.first.name} and {self.second.name}"
        if math.isnan(self.first.value) and math.isnan(self.second.value):
            return f"neither {self.first.name} nor {self.second.name} has a finite median"
        if not any(self.pairs.num_lower):
            return f"{names} are level ({word}{format_two(self.first.value, self.second.value)[0]})"
        difference = f"the difference of {names} ({self.both(word)})"
        num_groups = format_number_of(self.pairs.num_groups, "group")
        if self.pairs.is_chance:
            return f"{difference} is within what chance gives with {num_groups}"
        if not self.pairs.do_seeds_agree:
            return f"{difference} is not the same way round in all {len(self.pairs.signs)} seeds"
        count = format_count(max(self.pairs.num_lower))
        return (
            f"{self._lower.name} has the lower loss in {count} of {num_groups}, but {self._other.name} has the lower "
            f"median ({self.both('')})"
        )


class Finding(NamedTuple):
    """What was found, and what is needed not to be misled by it: sentences."""

    sentence: str
    cautions: tuple[str, ...] = ()


def finding(reported: Sequence[Reported], rounds: pa.Table, protocol: Protocol) -> Finding:
    """Computed from the numbers; it says so where they do not tell.

    Args:
        reported: of each algorithm and seed.
        rounds: as `ROUNDS_SCHEMA`; it tells what training came to where nothing was evaluated.
        protocol: of the evaluation.
    """
    rows = [row for row in percentiles_of(reported).to_pylist() if row["measure"] == "loss"]
    if not rows:
        return Finding("No group was evaluated, so there is nothing to say of personalization.", _training(rounds))
    before, after = (_medians(rows, moment) for moment in MOMENTS)
    general = tuple(_cautions(rows, before, after, protocol))
    names = list(before)
    if len(names) == 1:
        return Finding(_alone(before[names[0]], after[names[0]], rows[-1]["share_better"]), general)
    paper = _paper_pair(names)
    first, second = paper or sorted(names, key=lambda name: _by_value(after[name]))[:2]
    ours, theirs = ([one for one in reported if one.algorithm == name] for name in (first, second))
    was = Comparison(before[first], before[second], pair_losses(ours, theirs, "before"))
    now = Comparison(after[first], after[second], pair_losses(ours, theirs, "after"))
    return Finding(f"{_both(was, now)}: {_verdict(was.leader, now.leader, paper)}.", general + tuple(_limits(was, now)))


def _medians(rows: Sequence[Mapping], moment: str) -> dict[str, Median]:
    return {row["algorithm"]: Median(row["algorithm"], row["p50"]) for row in rows if row["moment"] == moment}


def _best_of_all(before: Mapping[str, Median], after: Mapping[str, Median]) -> str:
    best = [min(medians.values(), key=_by_value) for medians in (before, after)]
    return (
        f"Of all {len(before)} algorithms {best[0].name} has the lowest median before personalization "
        f"({format_value(best[0].value)}) and {best[1].name} after it ({format_value(best[1].value)})."
    )


def _by_value(median: Median) -> tuple[bool, float]:
    return math.isnan(median.value), median.value


def _paper_pair(names: Sequence[str]) -> list[str] | None:
    """FedAvg and FedSGD, in this order, where each of them is there once."""
    found = [[name for name in names if plain_name(name) == plain] for plain in ("fedavg", "fedsgd")]
    return [found[0][0], found[1][0]] if all(len(same) == 1 for same in found) else None


def _alone(before: Median, after: Median, share_better: float) -> str:
    values = format_two(before.value, after.value)
    change = f"The median loss of {before.name} is {values[0]} before personalization and {values[1]} after it"
    return f"{change}; {format_percent(share_better)} of the groups got better."


def _both(was: Comparison, now: Comparison) -> str:
    if was.pairs.is_too_few:  # and after as well: the groups are the same
        return (
            f"There are too few groups ({was.pairs.num_groups}) to tell {was.first.name} and {was.second.name} apart "
            f"({was.both()} before personalization, {now.both('')} after it)"
        )
    if was.leader and was.leader == now.leader:
        name = visible_line(was.leader, MAX_NAME)
        return f"{name} is ahead before personalization {was.leading()} and after it {now.leading('')}"
    return f"Before personalization {_claim(was, 'median ')}; after it {_claim(now, '')}"


def _claim(of: Comparison, word: str) -> str:
    if of.leader is None:
        return of.undecided(word)
    return f"{visible_line(of.leader, MAX_NAME)} is ahead {of.leading(word)}"


def _verdict(was: str | None, now: str | None, paper: Sequence[str] | None) -> str:
    """Whether the order reverses.

    Args:
        was: who is ahead before; None where nobody is for certain.
        now: the same after.
        paper: FedAvg and FedSGD, where these are compared.

    Source: Charles et al. 2023, "Towards Federated Foundation Models: Scalable Dataset Pipelines for Group-Structured
        Learning", section 5: FedSGD is ahead before personalization, FedAvg after it.
    """
    if paper is None:
        if was is None or now is None:
            return "whether the order reverses cannot be told from this"
        return "the order stays" if was == now else "the order reverses"
    fedavg, fedsgd = paper
    if (was, now) == (fedsgd, fedavg):
        return "the reversal of the paper shows here"
    if (was, now) == (fedavg, fedsgd):
        return "the reversal of the paper does not show here, but the opposite one"
    if was == fedavg or now == fedsgd:
        return "the reversal of the paper does not show here"
    return "whether the reversal of the paper shows here cannot be told from this"


def _cautions(
    rows: Sequence[Mapping], before: Mapping[str, Median], after: Mapping[str, Median], protocol: Protocol
) -> Iterator[str]:
    if len(before) > 2:
        yield _best_of_all(before, after)
    if protocol == "paper":
        yield f"Groups were {PROTOCOL_WORDS['paper']}, as the paper measures it."
    for row in rows:
        if row["num_not_finite"]:
            name, bad, all_of_them = visible_line(row["algorithm"], MAX_NAME), row["num_not_finite"], row["num_groups"]
            yield (
                f"{name} has no finite loss {row['moment']} personalization in {format_count(bad)} of "
                f"{format_count(all_of_them)} groups; these count as worse than any number."
            )


def _limits(was: Comparison, now: Comparison) -> Iterator[str]:
    """What the comparison leaves out, and how little few seeds tell."""
    num_seeds = len(was.pairs.signs)
    if count := was.pairs.num_unpaired:
        names = f"{was.first.name} and {was.second.name}"
        yield f"Not compared, as only one of {names} has them: {format_count(count)} of the losses."
    if num_seeds == 1:
        yield "One seed: how much another one would change is not known."
    if 1 < num_seeds < MIN_GROUPS and (was.leader or now.leader):  # a sign test over seeds could not tell either
        yield f"{num_seeds} seeds: by chance alone all agree in 1 of {2 ** (num_seeds - 1)} cases."


def _training(rounds: pa.Table) -> tuple[str, ...]:
    """Where the loss of each algorithm is in the last tenth of its rounds."""
    ends = []
    for algorithm in order_algorithms(rounds):
        ours = rounds.filter(pc.equal(rounds["algorithm"], algorithm))
        number = floats(ours, "round")
        last = floats(ours, "loss_before")[number >= np.quantile(number, 1 - _END_SHARE)]
        ends.append(f"{format_value(float(last.mean()))} ({visible_line(algorithm, MAX_NAME)})")
    return (f"In the last tenth of the rounds the loss before the round is {', '.join(ends)}.",) if ends else ()
