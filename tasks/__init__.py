"""Prefect tasks: one for each side effect, a few lines around a plain function."""
