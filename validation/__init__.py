"""Checks of examples (pandera), of groups (Great Expectations), and of a version against an earlier one."""

from validation.drift_checks import DriftChecks
from validation.example_check import ExampleCheck, ImageRules, TextRules
from validation.group_checks import GroupChecks, PercentileCheck
from validation.model import Checks

__all__ = ["Checks", "DriftChecks", "ExampleCheck", "GroupChecks", "ImageRules", "PercentileCheck", "TextRules"]
