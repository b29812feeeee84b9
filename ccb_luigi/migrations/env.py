"""Alembic's entry: runs the migrations in the transaction that ``schema.upgrade`` holds."""

from alembic import context

from ccb_luigi.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    include_schemas=True,
    version_table_schema="controle",
    compare_server_default=True,
)
context.run_migrations()
