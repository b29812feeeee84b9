"""Nightly migration of CCBs from MongoDB into eight PostgreSQL tables."""

__version__ = "0.1.0"
