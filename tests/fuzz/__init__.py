"""Coverage-guided fuzzing of what strangers send; see `__main__.py`."""
