"""Rules for a text that hold in any language."""

from __future__ import annotations

from validation import text_measures as measures
from validation.comparisons import at_least, at_most, none_found
from validation.rule_kinds import RuleKind, least, most

TEXT_RULES: dict[str, RuleKind] = {  # by the fields of TextRules
    "min_words": RuleKind(measures.num_words, at_least, least),
    "max_words": RuleKind(measures.num_words, at_most, most),
    "min_mean_word_length": RuleKind(measures.mean_word_length, at_least, least),
    "max_mean_word_length": RuleKind(measures.mean_word_length, at_most, most),
    "max_word_length": RuleKind(measures.longest_word, at_most, most),
    "min_share_of_letters": RuleKind(measures.share_of_letters, at_least, least),
    "max_share_of_digits": RuleKind(measures.share_of_digits, at_most, most),
    "max_share_of_repeated_lines": RuleKind(measures.share_of_repeated_lines, at_most, most),
    "max_repeated_character": RuleKind(measures.longer_runs, none_found, most),
    "control_characters": RuleKind(measures.num_control_characters, none_found, lambda limit: "none"),
    "replacement_characters": RuleKind(measures.num_replacement_characters, none_found, lambda limit: "none"),
}
