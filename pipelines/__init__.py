"""The build as data flows: read, check, assign, spill, merge. Apache Beam is used here and nowhere else.

Each step is a plain function in a file of its own that knows no Beam; `transforms.py` wires them.
"""
