"""Where the time of a build goes, and what the limit is: see `__main__`."""
