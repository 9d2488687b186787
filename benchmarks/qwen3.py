"""Qwen3-0.6B as it really is but for its weights, which are random: speed does not depend on them.

    python benchmarks/qwen3.py TIKTOKEN_FILE FOLDER

TIKTOKEN_FILE is `qwen.tiktoken`, Qwen's own vocabulary file.
Sizes: Qwen3 technical report, arXiv:2505.09388, and the model's config.json.
"""

import base64
import sys
from pathlib import Path

import torch
from transformers import Qwen2Tokenizer, Qwen3Config, Qwen3ForCausalLM
from transformers.convert_slow_tokenizer import TikTokenConverter


class _Converter(TikTokenConverter):  # type: ignore[misc]
    @staticmethod
    def load_tiktoken_bpe(tiktoken_url: str) -> dict[bytes, int]:
        lines = Path(tiktoken_url).read_text(encoding="ascii").split("\n")
        pairs = (line.split() for line in lines if line)
        return {base64.b64decode(token): int(rank) for token, rank in pairs}


def make_tokenizer(tiktoken_file: Path, folder: Path) -> None:
    """Write the tokenizer, which needs no GPU, into a folder."""
    vocab, merges = _Converter().extract_vocab_merges_from_model(str(tiktoken_file))
    tokenizer = Qwen2Tokenizer(
        vocab=vocab, merges=merges, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    tokenizer.save_pretrained(folder)


def make_model(
    folder: Path, vocab_size: int = 151_936, bos_token_id: int | None = None
) -> Qwen3ForCausalLM:
    """Write the configuration and random weights into a folder; returns the model."""
    config = Qwen3Config(
        vocab_size=vocab_size,
        hidden_size=1024,
        intermediate_size=3072,
        num_hidden_layers=28,
        num_attention_heads=16,
        num_key_value_heads=8,
        head_dim=128,
        max_position_embeddings=40_960,
        rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0},
        tie_word_embeddings=True,
        bos_token_id=bos_token_id,
    )
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.device(device):
        model = Qwen3ForCausalLM(config).to(torch.bfloat16)
    model.save_pretrained(folder)
    return model


if __name__ == "__main__":
    make_tokenizer(Path(sys.argv[1]), Path(sys.argv[2]))
    make_model(Path(sys.argv[2]))
