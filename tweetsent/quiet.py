"""Keeps the model libraries' progress bars, notices and warnings out of the terminal."""

import logging
import os
import warnings


def silence_model_libraries() -> None:
    """Errors still reach us, as exceptions. Nobody is told what is used here."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when the hub's client is loaded
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    # One names an optional kernel that is not there, the other each of its tries to reach a hub.
    for library in ("bitsandbytes", "huggingface_hub"):
        logging.getLogger(library).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
