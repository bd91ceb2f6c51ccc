"""What happens to a version after it is built: announced, tagged, deprecated, copied, deleted; and what mends a store.

Each changes the store first, which is the truth: its catalog by compare and swap. Then the registry gets a copy. What
dies in between is mended by doing it again, or by the doctor.

    announcing.py   a version that has just been published becomes known, with what its claim says: claims.py
    changing.py     a change of a catalog, then of the registry: tagging.py, deprecation.py
    copying.py      a version is published in another root; bringing.py moves its bytes
    deletion.py     in the safe order: tombstones.py, then the catalog, then the files
    retention.py    what a policy keeps; collection.py does it, and removes leftovers.py
    doctor.py       mends: store_problems.py, registry_problems.py, rebuilding.py; pull_records.py go to the registry
    sampling.py     which versions are read again today
    history.py      what happened to a dataset; lineage.py: where a version comes from, and who used it
"""
