"""The revisions of the schema, oldest first. Alembic runs them; no module imports one."""
