"""Reads an SQLite file with FedJAX, group by group in a random order, in its own environment: see README.md.

    PYTHON read_fedjax.py FILE

Prints what it counted and what that took as JSON: see group_loop.py.
"""

import random
import sys

import fedjax
from group_loop import measure


def open_groups():
    clients = fedjax.SQLiteFederatedData.new(sys.argv[1])
    ids = list(clients.client_ids())
    random.Random(0).shuffle(ids)
    return (dataset.all_examples()["text"] for _, dataset in clients.get_clients(ids))


if __name__ == "__main__":
    measure(open_groups, "fedjax")
