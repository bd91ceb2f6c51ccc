"""How the tables came to be, one revision at a time. How to add one: see env.py."""
