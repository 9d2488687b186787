"""The database's revisions, run by `tweetsent db upgrade`.

After changing `tweetsent/tables.py`: `python -m migrations "what changes"`, then read and test the
new file in `versions/`.
"""
