"""The catalog: one page over all versions of a store."""
