"""Keeps the model libraries' progress bars, notices and warnings out of the terminal."""

import logging
import warnings


def silence_model_libraries() -> None:
    """Errors still reach us, as exceptions."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    # It names an optional kernel from a model hub that is not there.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
