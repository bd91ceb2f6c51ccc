"""How long each format takes to hand over all groups, and in how much memory, as datasets grow."""
