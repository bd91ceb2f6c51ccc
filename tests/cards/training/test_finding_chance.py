"""What a report says first must not be what chance alone gives."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pyarrow as pa
import pytest

from cards.training import ROUNDS_SCHEMA
from cards.training.finding import Finding, finding
from cards.training.paired import LEVEL, MIN_GROUPS, pair_losses, sign_test
from cards.training.reported import Reported
from groupstream.label_skew import Floats

NUM_DRAWS = 400
MOST_ALARMS = NUM_DRAWS * 0.01 + 4 * math.sqrt(NUM_DRAWS * 0.01 * 0.99)  # 4 sigma above 1 %, whatever `LEVEL` is
CANNOT = "whether the reversal of the paper shows here cannot be told from this."


def measured(algorithm: str, seed: int, before: Floats, after: Floats, first_group: int = 0) -> Reported:
    ids = pa.chunked_array([[b"%d" % (first_group + group) for group in range(len(before))]], pa.binary())
    accuracy = np.full(len(before), 0.1)
    return Reported(
        algorithm, seed, ids, {"loss": before, "accuracy": accuracy}, {"loss": after, "accuracy": accuracy}, 0
    )


def say(*reported: Reported) -> Finding:
    return finding(reported, ROUNDS_SCHEMA.empty_table(), "held_out")


def drawn(draw: int, num_groups: int, num_seeds: int, ahead: float = 0.0) -> list[Reported]:
    """Groups that differ, and noise of 0.01 on each; FedSGD is so far ahead before, and FedAvg after."""
    random = np.random.default_rng([draw, num_groups, num_seeds])
    hardness = random.normal(3, 0.5, num_groups)
    found = []
    for (algorithm, lead), seed in product((("FedAvg", -ahead), ("FedSGD", ahead)), range(num_seeds)):
        before, after = (hardness + random.normal(0, 0.01, num_groups) for _ in range(2))
        found.append(measured(algorithm, seed, before - lead, after - 0.4 + lead))
    return found


@pytest.mark.parametrize(("num_groups", "num_seeds"), [(8, 1), (40, 3)])
def test_chance_is_rarely_called_a_difference(num_groups: int, num_seeds: int) -> None:
    sentences = [say(*drawn(draw, num_groups, num_seeds)).sentence for draw in range(NUM_DRAWS)]
    halves = [sentence.replace(" and after it", "; after it").split("; after it") for sentence in sentences]
    for moment in range(2):
        assert sum("is ahead" in half[moment] for half in halves) <= MOST_ALARMS
    assert sum("cannot be told" not in sentence for sentence in sentences) <= 2 * MOST_ALARMS
    assert not any("paper shows here." in sentence for sentence in sentences), "both by chance: 1 of 20,000"


@pytest.mark.parametrize(("num_groups", "num_seeds"), [(8, 1), (40, 3)])
def test_clear_reversal_is_found(num_groups: int, num_seeds: int) -> None:
    sentences = [say(*drawn(draw, num_groups, num_seeds, ahead=0.05)).sentence for draw in range(20)]
    assert all(sentence.endswith("the reversal of the paper shows here.") for sentence in sentences)


def test_difference_within_chance_is_said_with_the_number_of_groups() -> None:
    """FedSGD is lower in 7 of 9 groups before, FedAvg in all after."""
    groups = np.linspace(2.5, 3.5, 9)
    other = groups - np.array([0.1] * 7 + [-0.1] * 2)
    assert say(measured("FedAvg", 0, groups, groups), measured("FedSGD", 0, other, groups + 0.2)).sentence == (
        "Before personalization the difference of FedAvg and FedSGD (median 3.00 and 2.90) is within what chance gives "
        f"with 9 groups; after it FedAvg is ahead (3.00 against 3.20): {CANNOT}"
    )


def test_too_few_groups_to_tell() -> None:
    first, second = (np.full(MIN_GROUPS - 1, loss) for loss in (3.0, 2.0))
    assert say(measured("FedAvg", 0, first, second), measured("FedSGD", 0, second, first)).sentence == (
        "There are too few groups (7) to tell FedAvg and FedSGD apart (median 3.00 and 2.00 before personalization, "
        f"2.00 and 3.00 after it): {CANNOT}"
    )
    more = [np.append(losses, losses[0]) for losses in (first, second)]
    assert (
        "the reversal of the paper shows"
        in say(measured("FedAvg", 0, *more), measured("FedSGD", 0, *more[::-1])).sentence
    )


def test_least_number_of_groups_is_that_of_the_level() -> None:
    assert sign_test(0, MIN_GROUPS) <= LEVEL < sign_test(0, MIN_GROUPS - 1)


@pytest.mark.parametrize("counts", [(0, 8), (3, 17), (15, 35), (400, 600), (10, 10)])
def test_sign_test_is_the_tail_of_the_binomial(counts: tuple[int, int]) -> None:
    count, least = sum(counts), min(counts)
    exact = min(1.0, 2 * sum(math.comb(count, k) for k in range(least + 1)) / 2**count)
    assert sign_test(*counts) == sign_test(*counts[::-1]) == pytest.approx(exact, rel=1e-9)


def test_sign_test_of_very_many_groups() -> None:
    """From 600,000 fair coins: 3.29 standard deviations are one in a thousand."""
    assert sign_test(300_000 - 1274, 300_000 + 1274) == pytest.approx(1e-3, rel=0.01)


def test_nan_is_worse_than_any_number() -> None:
    """One of nine groups more that is lower does not outweigh three that have no loss."""
    groups = np.linspace(2.5, 3.5, 9)
    some = np.where(np.arange(9) < 3, np.nan, groups - 0.1)
    pairs = pair_losses([measured("a", 0, some, some)], [measured("b", 0, groups, groups)], "before")
    assert (pairs.num_lower, pairs.is_chance) == ((6, 3), True)
    every = np.full(9, np.nan)
    result = say(measured("FedAvg", 0, groups, every), measured("FedSGD", 0, groups + 0.1, groups))
    assert "after it FedSGD is ahead (3.00 against NaN)" in result.sentence


def test_nan_in_a_seed_is_one_of_the_mean() -> None:
    groups = np.linspace(2.5, 3.5, 9)
    bad = [measured("a", 0, groups - 0.5, groups), measured("a", 1, np.full(9, np.nan), groups)]
    good = [measured("b", seed, groups, groups) for seed in range(2)]
    pairs = pair_losses(bad, good, "before")
    assert (pairs.num_lower, pairs.signs, pairs.do_seeds_agree) == ((0, 9), (-1, 1), False)
    assert pair_losses(bad, good, "after").num_lower == (0, 0)


def test_groups_are_paired_by_their_id() -> None:
    groups = np.linspace(2.5, 3.5, 12)
    ours, theirs = measured("FedAvg", 0, groups, groups), measured("FedSGD", 0, groups[2:] - 0.01, groups[2:], 2)
    back = Reported(
        *("FedSGD", 0, theirs.group_ids.take(pa.array(range(9, -1, -1)))),
        *({name: values[::-1] for name, values in one.items()} for one in (theirs.before, theirs.after)),
        0,
    )
    pairs = pair_losses([ours], [theirs], "before")
    assert pairs == pair_losses([ours], [back], "before")
    assert (pairs.num_groups, pairs.num_lower, pairs.num_unpaired) == (10, (0, 10), 2)
    assert say(ours, theirs).cautions[0] == (
        "Not compared, as only one of FedAvg and FedSGD has them: 2 of the losses."
    )


def test_nobody_leads_against_the_median() -> None:
    """The lower loss in 17 of 20 groups, and the higher median."""
    first = np.array([1.0] * 9 + [3.0] * 11)
    second = np.array([1.1] * 9 + [3.1] * 8 + [0.5] * 3)
    assert say(measured("FedAvg", 0, first, first), measured("FedSGD", 0, second, second)).sentence == (
        "Before personalization FedAvg has the lower loss in 17 of 20 groups, but FedSGD has the lower median (3.00 "
        "and 1.10); after it FedAvg has the lower loss in 17 of 20 groups, but FedSGD has the lower median (3.00 and "
        f"1.10): {CANNOT}"
    )
