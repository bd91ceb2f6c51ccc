"""The report of a federated training run: one self-contained HTML page, drawn from plain tables.

It asks no other host for anything, runs no script, and knows nothing of what trained.
"""

from cards.training.facts import TrainingFacts
from cards.training.percentiles import percentile_table
from cards.training.rates import choose_rates
from cards.training.report import render_training_report
from cards.training.results import write_results
from cards.training.tables import EVALUATION_SCHEMA, ROUNDS_SCHEMA

__all__ = [
    "EVALUATION_SCHEMA",
    "ROUNDS_SCHEMA",
    "TrainingFacts",
    "choose_rates",
    "percentile_table",
    "render_training_report",
    "write_results",
]
