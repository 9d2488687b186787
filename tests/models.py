"""A base model small enough for tests: Qwen3's architecture and tokenizer, random weights.

Real in everything but size and knowledge: it is saved, found, loaded in NF4, adapted and scored by
the same code as any other.
"""

import json
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import Qwen2Tokenizer, Qwen3Config, Qwen3ForCausalLM
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

_SENTENCES = [
    "Metin: Bugün hava çok güzel.\nDuygu: pozitif",
    "Metin: Kargo yine gecikti, hiç memnun değilim.\nDuygu: negatif",
    "Metin: Toplantı saat üçte başlıyor.\nDuygu: nötr",
    "Metin: Bu filmi herkese öneririm, harikaydı!\nDuygu: pozitif",
    "Metin: Yemek soğuktu, garson da ilgisizdi.\nDuygu: negatif",
    "Metin: Otobüs on dakika sonra kalkacak.\nDuygu: nötr",
    "@user http 👍 😊 şöyle böyle, ne iyi ne kötü; ığdır'da ÇĞİÖŞÜ",
]


def make_tiny_model(folder: Path) -> None:
    """Write the model and its tokenizer into a folder, the same bytes of weights each time."""
    tokenizer = _tokenizer()
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        # Larger than usual, so that a change anywhere in the text is seen in the logits.
        initializer_range=0.2,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Qwen3ForCausalLM(config).to(torch.bfloat16)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _tokenizer() -> Qwen2Tokenizer:
    """Byte-level BPE like Qwen's: no token at the start, special tokens between `<|` and `|>`."""
    learner = Tokenizer(models.BPE())
    learner.normalizer = normalizers.NFC()
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    learner.train_from_iterator(
        _SENTENCES * 10,
        trainers.BpeTrainer(
            vocab_size=500,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    bpe = json.loads(learner.to_str())["model"]
    return Qwen2Tokenizer(
        vocab=bpe["vocab"],
        merges=[tuple(pair) for pair in bpe["merges"]],
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=["<|im_start|>"],
    )
