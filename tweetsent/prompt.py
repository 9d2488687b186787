"""The prompt, built by one function for training and for serving.

The user's text is data: it is tokenised apart from the prompt's own words and with special tokens
switched off, so no text can close the prompt, open another or speak for the model.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tweetsent.errors import ModelError
from tweetsent.labels import LABELS
from tweetsent.text import clean, mask

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


_MANY = 64
"""From so many texts on, more threads save more time than it takes to wake them."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """The words around a text and the three words whose first tokens are scored after it."""

    prefix: str = "Metin:"
    suffix: str = "\nDuygu:"
    label_words: tuple[str, str, str] = (" negatif", " nötr", " pozitif")
    """One word for each label, in label order."""
    max_text_tokens: int = 256
    """A longer text keeps its beginning and its end."""

    @property
    def version(self) -> str:
        """A short name that changes with any of the fields."""
        content = json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:8]


class PromptEncoder:
    """Turns texts into token ids for one tokenizer and knows the ids of the label words."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", prompt: Prompt) -> None:
        """Raises ModelError when two label words start with the same token."""
        self.prompt = prompt
        self._tokenizer = tokenizer
        start = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
        self._head = start + self._tokens(prompt.prefix)
        self._tail = self._tokens(prompt.suffix)
        self.label_ids = [self._tokens(word)[0] for word in prompt.label_words]
        if len(set(self.label_ids)) < len(LABELS):
            raise ModelError(
                f"the label words {prompt.label_words} do not start with different tokens under "
                f"{type(tokenizer).__name__}: this base model can't be used"
            )

    @property
    def longest(self) -> int:
        """Tokens of the longest prompt there can be."""
        return len(self._head) + self.prompt.max_text_tokens + len(self._tail)

    def encode(self, text: str) -> list[int]:
        """Token ids of the whole prompt for one text, in the order the model reads them."""
        return self.encode_all([text])[0]

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of the prompt of each text; many at once are read on all cores."""
        bodies = self._tokenize([" " + mask(clean(text)) for text in texts])
        return [self._head + self._cut(tokens) + self._tail for tokens in bodies]

    def _cut(self, tokens: list[int]) -> list[int]:
        longest = self.prompt.max_text_tokens
        if len(tokens) <= longest:
            return tokens
        half = longest // 2
        return tokens[: longest - half] + tokens[len(tokens) - half :]

    def _tokens(self, text: str) -> list[int]:
        return self._tokenize([text])[0]

    def _tokenize(self, texts: list[str]) -> list[list[int]]:
        if not texts:
            return []
        # The library looks at each call whether to wake its threads.
        os.environ["TOKENIZERS_PARALLELISM"] = "true" if len(texts) >= _MANY else "false"
        # split_special_tokens: "<end_of_turn>" typed by a user is just characters.
        ids: list[list[int]] = self._tokenizer(
            texts,
            add_special_tokens=False,
            split_special_tokens=True,
            return_attention_mask=False,
            return_token_type_ids=False,
        )["input_ids"]
        return ids
