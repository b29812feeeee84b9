"""Alembic's entry: runs the migrations in the transaction that ``schema.upgrade`` holds."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table_schema="controle")
context.run_migrations()
