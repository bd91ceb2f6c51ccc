"""Checks of examples (pandera) and of groups (Great Expectations), built from the spec."""

from validation.model import Checks, ExampleCheck, GroupChecks

__all__ = ["Checks", "ExampleCheck", "GroupChecks"]
