"""Alembic runs this for every command. The connection, in a transaction, comes from `registry.database`.

To add a revision after a change of `registry/models.py`, look at what this writes to `versions/`, and test it:

    from alembic import command
    from registry.database import migrating, migration_config, open_engine

    with migrating(open_engine("sqlite:////tmp/registry.db")) as connection:
        command.revision(migration_config(connection), "aliases", rev_id="0002", autogenerate=True)
"""

from alembic import context

from registry.database import REVISION_TABLE
from registry.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=REVISION_TABLE,
    render_as_batch=True,  # SQLite changes a table by building it anew
)
with context.begin_transaction():
    context.run_migrations()
