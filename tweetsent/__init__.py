"""Sentiment of Turkish messages: labels, text, model, storage and the service that joins them.

Importing this package has no effect and loads nothing heavy.
"""

__version__ = "0.1.0"
