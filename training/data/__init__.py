"""Clients as arrays, from the stream of a published version."""
