"""The page: what there is to say of a run, put into the template."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from cards.room import cut_to_page
from cards.text import visible_line
from cards.training.evaluation_part import percentile_blocks, tried_table
from cards.training.extremes import extremes
from cards.training.facts import TrainingFacts
from cards.training.facts_part import big_figures, count_rows, target_rows
from cards.training.finding import finding
from cards.training.histogram import draw_histogram
from cards.training.inks import DARK, LIGHT, strokes_of
from cards.training.losses import losses_of
from cards.training.percentiles import percentiles_of
from cards.training.rates import choose_rates, tried_rates
from cards.training.reported import reported_groups
from cards.training.rounds_part import loss_pictures, not_finite, rate_pictures, time_pictures, time_rows
from cards.training.scatter import draw_scatters
from cards.training.tables import as_evaluation, as_rounds, order_algorithms
from cards.training.templates import template

_MAX_SETTINGS_BYTES = 200_000


def render_training_report(facts: TrainingFacts, rounds: pa.Table, evaluation: pa.Table) -> str:
    """The report of a run, as one HTML page that asks for no other file.

    It depends on the values of its arguments only. It is of a few hundred kilobytes, however many rounds and groups
    there are: lines are thinned, and where dots would be too many there are shades.

    Args:
        facts: what stands in the header.
        rounds: as `ROUNDS_SCHEMA`; empty where there was no round.
        evaluation: as `EVALUATION_SCHEMA`; empty where nothing was evaluated.

    Raises:
        UsageError: a table lacks a column, or a rate of fine-tuning cannot be chosen.
    """
    rounds, evaluation = as_rounds(rounds), as_evaluation(evaluation)
    page = template("training/report.html").render(
        facts=facts, light=LIGHT, dark=DARK, **_parts(facts, rounds, evaluation)
    )
    return page.rstrip() + "\n"


def _parts(facts: TrainingFacts, rounds: pa.Table, evaluation: pa.Table) -> dict[str, Any]:
    strokes = strokes_of(order_algorithms(rounds, evaluation))
    rates = choose_rates(evaluation)
    reported = reported_groups(evaluation, rates)
    percentiles = percentiles_of(reported)
    losses = losses_of(reported, strokes, facts.protocol_words)
    return {
        "dataset": visible_line(facts.dataset),
        "finding": finding(reported, rounds, facts.protocol),
        "figures": big_figures(facts),
        "targets": target_rows(facts),
        "blocks": percentile_blocks(percentiles, strokes),
        "tried": tried_table(tried_rates(evaluation), rates, strokes),
        "histograms": [draw_histogram(f"histogram{i}", one) for i, one in enumerate(losses)],
        "scatters": draw_scatters(losses),
        "extremes": [(strokes[one.algorithm], one) for one in extremes(reported)],
        "losses": loss_pictures(rounds, strokes),
        "rate_pictures": rate_pictures(rounds, strokes),
        "times": time_rows(rounds, strokes),
        "time_pictures": time_pictures(rounds, strokes),
        "troubles": not_finite(rounds, strokes),
        "counts": count_rows(facts.counts),
        "settings": cut_to_page(facts.settings, _MAX_SETTINGS_BYTES),
    }
