"""The revisions of the schema's shape, oldest first. Alembic runs them; no module imports one.

What can be told anew (views, functions, codes, comments, rights) is in ``database/words``.
"""
