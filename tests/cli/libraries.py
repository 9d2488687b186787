"""What takes seconds to import, for the process that others are forks of."""

import gc

import bitsandbytes  # noqa: F401
import peft  # noqa: F401
from transformers import AutoModelForCausalLM, Qwen3ForCausalLM  # noqa: F401

import tests.training.test_retraining  # noqa: F401
import training.retraining  # noqa: F401

gc.freeze()
