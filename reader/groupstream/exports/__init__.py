"""Splits written for other libraries. A format is one file here and its name in one list, `FORMATS`."""

from groupstream.exports.exporting import FORMATS, Export, export, plan_export

__all__ = ["FORMATS", "Export", "export", "plan_export"]
