"""Datasets are known by root and name; aliases; what runs read and measured; who copied what."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from registry.migrations.roots import give_roots, refuse_names_in_several_roots

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_TIME = sa.DateTime(timezone=True)
_STATES_THAT_0002_LACKS = {
    "versions": {"deprecated": "published", "failed": "pending"},  # of a deleted one, nothing is left that it knows
    "runs": {"completed": "unchanged"},
}


def upgrade() -> None:
    """Goes to this revision."""
    _extend_datasets()
    _extend_versions()
    _extend_runs()
    give_roots(op.get_bind())
    _create_aliases()
    _create_uses()


def downgrade() -> None:
    """Goes back. What 0002 does not know is lost.

    Raises:
        RegistryError: a name is in several roots, which 0002 cannot hold.
    """
    refuse_names_in_several_roots(op.get_bind())
    for table in ("pulls", "metrics", "run_inputs", "alias_moves", "aliases"):
        op.drop_table(table)
    op.execute("DELETE FROM versions WHERE state = 'deleted'")
    for table, states in _STATES_THAT_0002_LACKS.items():
        for state, known in states.items():
            op.execute(f"UPDATE {table} SET state = '{known}' WHERE state = '{state}'")
    with op.batch_alter_table("runs") as runs:
        for column in ("kind", "spec", "source", "code", "prefect_url"):
            runs.drop_column(column)
    op.drop_index("ix_versions_parent_name_parent_version", "versions")
    with op.batch_alter_table("versions") as versions:
        for column in ("message", "run_id", "has_manifest", "parent_name", "parent_version", "parent_digest"):
            versions.drop_column(column)
        versions.drop_column("changed_at")
        versions.drop_column("changed_by")
    op.drop_index("ix_datasets_name", "datasets")
    with op.batch_alter_table("datasets") as datasets:
        datasets.drop_constraint("uq_datasets_root_name", type_="unique")
        datasets.create_unique_constraint("uq_datasets_name", ["name"])
        datasets.drop_column("root")
        datasets.drop_column("catalog_revision")


def _extend_datasets() -> None:
    with op.batch_alter_table("datasets") as datasets:
        datasets.add_column(sa.Column("root", sa.Text(), nullable=False, server_default=""))
        datasets.add_column(sa.Column("catalog_revision", sa.BigInteger(), nullable=False, server_default="0"))
        datasets.drop_constraint("uq_datasets_name", type_="unique")
        datasets.create_unique_constraint("uq_datasets_root_name", ["root", "name"])
    _drop_defaults("datasets", "root", "catalog_revision")
    op.create_index("ix_datasets_name", "datasets", ["name"])


def _extend_versions() -> None:
    with op.batch_alter_table("versions") as versions:
        versions.add_column(sa.Column("message", sa.Text(), nullable=False, server_default=""))
        versions.add_column(sa.Column("run_id", sa.String(64), nullable=True))
        versions.add_column(sa.Column("has_manifest", sa.Boolean(), nullable=False, server_default=sa.true()))
        versions.add_column(sa.Column("parent_name", sa.String(100), nullable=True))
        versions.add_column(sa.Column("parent_version", sa.String(64), nullable=True))
        versions.add_column(sa.Column("parent_digest", sa.String(64), nullable=True))
        versions.add_column(sa.Column("changed_at", _TIME, nullable=True))
        versions.add_column(sa.Column("changed_by", sa.Text(), nullable=False, server_default=""))
    op.execute("UPDATE versions SET changed_at = COALESCE(published_at, created_at)")
    _drop_defaults("versions", "message", "has_manifest", "changed_by")
    with op.batch_alter_table("versions") as versions:
        versions.alter_column("changed_at", existing_type=_TIME, nullable=False)
    op.create_index("ix_versions_parent_name_parent_version", "versions", ["parent_name", "parent_version"])


def _extend_runs() -> None:
    with op.batch_alter_table("runs") as runs:
        runs.add_column(sa.Column("kind", sa.String(32), nullable=False, server_default="build"))
        for name in ("spec", "source", "code"):
            runs.add_column(sa.Column(name, _JSON, nullable=True))
        runs.add_column(sa.Column("prefect_url", sa.Text(), nullable=True))
    _drop_defaults("runs", "kind")


def _drop_defaults(table: str, *columns: str) -> None:
    with op.batch_alter_table(table) as altered:
        for column in columns:
            altered.alter_column(column, server_default=None)


def _create_aliases() -> None:
    op.create_table(
        "aliases",
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("alias", sa.String(64), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("dataset_id", "alias", name="pk_aliases"),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name="fk_aliases_dataset_id_datasets"),
    )
    key = ("dataset_id", "alias", "at", "version")
    op.create_table(
        "alias_moves",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("alias", sa.String(64), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alias_moves"),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name="fk_alias_moves_dataset_id_datasets"),
        sa.UniqueConstraint(*key, name="uq_alias_moves_dataset_id_alias_at_version"),
    )


def _create_uses() -> None:
    op.create_table(
        "run_inputs",
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "root", "name", "version", name="pk_run_inputs"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_run_inputs_run_id_runs"),
    )
    op.create_index("ix_run_inputs_name_version", "run_inputs", ["name", "version"])
    op.create_table(
        "metrics",
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Float(53), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "name", "step", name="pk_metrics"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_metrics_run_id_runs"),
    )
    op.create_table(
        "pulls",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("root", sa.Text(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("splits", _JSON, nullable=False),
        sa.Column("num_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_pulls"),
    )
    op.create_index("ix_pulls_name_version_at", "pulls", ["name", "version", "at"])
