"""What the report says first, for each way it can turn out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from cards.training import ROUNDS_SCHEMA
from cards.training.finding import Finding, finding
from cards.training.reported import Reported
from groupstream.label_skew import Floats

NO_ROUNDS = ROUNDS_SCHEMA.empty_table()
ONE_SEED = "One seed: how much another one would change is not known."
TWO_SEEDS = "2 seeds: by chance alone all agree in 1 of 2 cases."
OFFS = np.linspace(-0.5, 0.5, 9)  # where the groups of `found` lie around a median


def found(
    medians: dict[str, list[tuple[float, float]]], protocol: str = "held_out", offs: Sequence[float] = tuple(OFFS)
) -> Finding:
    """For the median losses before and after of each algorithm, by seed; groups lie around each."""
    reported = [
        measured(algorithm, seed, before + np.array(offs), after + np.array(offs))
        for algorithm, seeds in medians.items()
        for seed, (before, after) in enumerate(seeds)
    ]
    return finding(reported, NO_ROUNDS, protocol)


def measured(algorithm: str, seed: int, before: Floats, after: Floats) -> Reported:
    ids = pa.chunked_array([[b"%d" % group for group in range(len(before))]], pa.binary())
    accuracy = np.full(len(before), 0.1)
    return Reported(
        algorithm, seed, ids, {"loss": before, "accuracy": accuracy}, {"loss": after, "accuracy": accuracy}, 0
    )


def test_reversal_of_the_paper() -> None:
    assert found({"FedAvg": [(3.02, 2.41)], "FedSGD": [(2.91, 2.60)]}) == Finding(
        "Before personalization FedSGD is ahead (median 2.91 against 3.02); after it FedAvg is ahead (2.41 against "
        "2.60): the reversal of the paper shows here.",
        (ONE_SEED,),
    )


def test_no_reversal() -> None:
    assert found({"fedavg": [(2.8, 2.4)], "fedsgd": [(2.9, 2.6)]}).sentence == (
        "fedavg is ahead before personalization (median 2.80 against 2.90) and after it (2.40 against 2.60): the "
        "reversal of the paper does not show here."
    )
    assert "does not show here." in found({"fedavg": [(2.9, 2.6)], "fedsgd": [(2.8, 2.4)]}).sentence


def test_opposite_reversal() -> None:
    sentence = found({"fedavg": [(2.8, 2.6)], "fedsgd": [(2.9, 2.4)]}).sentence
    assert sentence.endswith("the reversal of the paper does not show here, but the opposite one.")


def test_seeds_that_disagree_decide_nothing() -> None:
    before = [(2.90, 2.40), (3.00, 2.42)], [(2.95, 2.60), (2.85, 2.61)]
    result = found({"FedAvg": before[0], "FedSGD": before[1]})
    assert result == Finding(
        "Before personalization the difference of FedAvg and FedSGD (median 2.95 and 2.90) is not the same way round "
        "in all 2 seeds; after it FedAvg is ahead (2.41 against 2.60): whether the reversal of the paper shows here "
        "cannot be told from this.",
        (TWO_SEEDS,),
    )


def test_what_is_undecided_does_not_hide_what_is_certain() -> None:
    """FedAvg is ahead before: that alone is not the paper's."""
    result = found({"FedAvg": [(2.7, 2.4), (2.8, 2.64)], "FedSGD": [(2.9, 2.5), (3.0, 2.5)]})
    assert "after it the difference of FedAvg and FedSGD (2.52 and 2.50) is not the same" in result.sentence
    assert result.sentence.endswith("the reversal of the paper does not show here.")


def test_seeds_are_paired() -> None:
    """They differ more from one another than the algorithms do, and yet FedSGD is ahead in each."""
    result = found({"FedAvg": [(3.0, 2.4), (3.5, 2.9)], "FedSGD": [(2.9, 2.5), (3.4, 3.0)]})
    assert result.sentence.endswith("the reversal of the paper shows here.") and result.cautions == (TWO_SEEDS,)


def test_level_with_one_seed() -> None:
    assert (
        "Before personalization FedAvg and FedSGD are level (median 3.00);"
        in found({"FedAvg": [(3.0, 2.0)], "FedSGD": [(3.0, 2.5)]}).sentence
    )


def test_small_differences_have_more_digits() -> None:
    assert "(median 2.911 against 2.913)" in found({"FedAvg": [(2.9132, 2.4)], "FedSGD": [(2.9112, 2.6)]}).sentence


@pytest.mark.parametrize(
    ("second", "verdict"),
    [((2.9, 2.6), "the order reverses."), ((3.1, 2.6), "the order stays."), ((3.0, 2.6), "cannot be told from this.")],
)
def test_other_algorithms_are_not_measured_by_the_paper(second: tuple[float, float], verdict: str) -> None:
    result = found({"ditto": [(3.0, 2.4)], "reptile": [second]})
    assert result.sentence.endswith(verdict) and "paper" not in result.sentence


def test_of_many_the_papers_pair_is_compared_and_the_best_named() -> None:
    result = found({"FedAvg": [(3.0, 2.4)], "FedSGD": [(2.9, 2.6)], "ditto": [(2.5, 2.9)], "x": [(4.0, 2.2)]})
    assert result.sentence.startswith("Before personalization FedSGD is ahead")
    assert result.cautions[0] == (
        "Of all 4 algorithms ditto has the lowest median before personalization (2.50) and x after it (2.20)."
    )


def test_one_algorithm() -> None:
    assert found({"FedAvg": [(3.0, 2.4)]}) == Finding(
        "The median loss of FedAvg is 3.00 before personalization and 2.40 after it; 100 % of the groups got better."
    )


def test_no_evaluation(make_rounds) -> None:
    sentence = "No group was evaluated, so there is nothing to say of personalization."
    assert finding([], NO_ROUNDS, "held_out") == Finding(sentence)
    rounds = make_rounds({"FedAvg": 3.0}, 1000)
    last = np.mean(rounds["loss_before"].to_numpy()[900:])
    result = finding([], rounds, "held_out")
    assert result == Finding(
        sentence, (f"In the last tenth of the rounds the loss before the round is {last:.2f} (FedAvg).",)
    )


def test_protocol_of_the_paper_is_said() -> None:
    result = found({"FedAvg": [(3.0, 2.4)]}, "paper")
    assert result.cautions == ("Groups were fine-tuned and tested on the same examples, as the paper measures it.",)


def test_algorithm_that_diverged_does_not_win() -> None:
    result = found({"FedAvg": [(3.0, np.nan)], "FedSGD": [(2.9, 2.6)]})
    assert "FedSGD is ahead before personalization (median 2.90 against 3.00) and after it (2.60 against NaN)" in (
        result.sentence
    )
    assert result.cautions[0] == (
        "FedAvg has no finite loss after personalization in 9 of 9 groups; these count as worse than any number."
    )
    both = found({"FedAvg": [(3.0, np.nan)], "FedSGD": [(2.9, np.nan)]}).sentence
    assert "neither FedAvg nor FedSGD has a finite median" in both and "cannot be told" in both
