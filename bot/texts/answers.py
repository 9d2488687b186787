"""Answers to messages, and what a correction changed."""

from bot.texts.wording import bar, name, percent
from tweetsent.labels import LABELS, Scores
from tweetsent.records import Correction

CORRECT_HINT = "Yanıldıysam doğrusuna dokun 👇"
CORRECT_WHICH = "Doğrusu hangisi? 👇"
CORRECT_WHAT = (
    "Hangi sonucu düzelteyim? Sonuca ya da mesajın kendisine yanıt olarak /duzelt yaz, "
    "örneğin: /duzelt olumlu"
)
BUTTON_SAVED = "Kaydettim 👍"
BUTTON_DONE = "Tamam 👍"
BUTTON_UNKNOWN = "Bu düğme artık geçerli değil. Mesajı yeniden gönderebilirsin."
UNSUPPORTED = (
    "Bunu okuyamıyorum 🙈 Bana bir metin yaz, bir mesaj ilet ya da açıklamalı bir fotoğraf, "
    "video veya belge gönder; duygusunu söyleyeyim."
)
NO_WORDS = "Burada değerlendirebileceğim bir söz bulamadım. Birkaç kelime yazar mısın?"
NOT_FOUND = (
    "Bu mesajı değerlendirmemiştim, o yüzden düzeltecek bir sonuç yok. Sonuca ya da bana "
    "gönderdiğin mesaja yanıt ver; yeni bir mesajsa önce bana gönder."
)


def answer(scores: Scores, *, with_hint: bool = True) -> str:
    """The answer to a message: label, confidence, bar and all three scores.

    The hint belongs to the buttons.
    """
    return f"{_result(scores)}\n\n{CORRECT_HINT}" if with_hint else _result(scores)


def _result(scores: Scores) -> str:
    compact = " · ".join(f"{label.emoji} {percent(scores.of(label))}" for label in LABELS)
    return (
        f"{name(scores.label)} · {percent(scores.confidence)}\n{bar(scores.confidence)}\n{compact}"
    )


def correction(change: Correction) -> str:
    """What a correction did: the label before and after."""
    if change.old == change.new:
        return f"✅ Kaydettim: {name(change.new)}"
    return f"✏️ Düzelttim: {name(change.old)} → {name(change.new)}. Teşekkürler!"


def corrected_answer(change: Correction) -> str:
    """The answer again, with the correction under it."""
    return f"{_result(change.prediction.scores)}\n\n{correction(change)}"


def unknown_label(word: str) -> str:
    """The reply to `/duzelt` with a word that names no label."""
    shown = word if len(word) <= 30 else f"{word[:30]}…"
    return (
        f"“{shown}” diye bir etiket bilmiyorum. Şöyle yazabilirsin:\n"
        "😞 olumsuz, negatif, kötü, -\n"
        "😐 tarafsız, nötr, yansız, =\n"
        "😊 olumlu, pozitif, iyi, +\n"
        "Ya da aşağıdan seç 👇"
    )
