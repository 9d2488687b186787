"""Alembic migrations; `tweetsent db upgrade` runs them."""
