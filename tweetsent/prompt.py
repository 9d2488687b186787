"""The prompt, built by one function for training and for serving.

The user's text is data: it is tokenised apart from the prompt's own words and with special tokens
switched off, so no text can close the prompt, open another or speak for the model.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tweetsent.errors import ModelError
from tweetsent.labels import LABELS
from tweetsent.text import clean, mask

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


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

    def encode(self, text: str) -> list[int]:
        """Token ids of the whole prompt for one text, in the order the model reads them."""
        tokens = self._tokens(" " + mask(clean(text)))
        if len(tokens) > self.prompt.max_text_tokens:
            half = self.prompt.max_text_tokens // 2
            end = len(tokens) - half
            tokens = tokens[: self.prompt.max_text_tokens - half] + tokens[end:]
        return self._head + tokens + self._tail

    def _tokens(self, text: str) -> list[int]:
        # split_special_tokens: "<end_of_turn>" typed by a user is just characters.
        ids = self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        return list(ids)
