"""Data, QLoRA training, evaluation and model cards."""
