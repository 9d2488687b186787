"""Answers to messages, and what a correction changed."""

from bot.texts.wording import bar, count, name, percent, shortened
from tweetsent.labels import LABELS, Label, Scores
from tweetsent.records import Analysis, Correction
from tweetsent.text import tr_lower

_LONGEST_WORD = 30
_LONGEST_QUOTE = 60
_LONGEST_LINE = 60
CORRECT_HINT = "Doğru mu? Yanıldıysam doğrusuna dokun 👇"
UNSURE_HINT = "🤔 Bundan pek emin değilim. Sence doğrusu hangisi? 👇"
CORRECT_WHICH = "Doğrusu hangisi? 👇"
CORRECT_WHAT = (
    "Burada senden bir mesaj değerlendirmedim henüz. Başka bir sonucu düzelteceksen ona ya da "
    "mesajın kendisine yanıt olarak /duzelt yaz, örneğin: /duzelt olumlu"
)
RIGHT = "✅ Doğru"
BUTTON_SAVED = "Kaydettim 👍"
BUTTON_DONE = "Tamam 👍"
BUTTON_NOT_YOURS = (
    "Bu düğmeler başkası için 🙂 Senin görüşün de sayılır: sonuca yanıt olarak doğrusunu yaz, "
    "örneğin: /duzelt olumlu"
)
ANSWER_CHANGED = "Mesajını düzenledin, sonuç da değişti. Yenisine bakıp tekrar dokunur musun?"
BUTTON_UNKNOWN = "Bu düğme artık geçerli değil. Mesajı yeniden gönderebilirsin."
UNSUPPORTED = (
    "Bunu okuyamıyorum 🙈 Bana bir metin yaz, bir mesaj ilet ya da açıklamalı bir fotoğraf, "
    "video veya belge gönder; duygusunu söyleyeyim. Bir .xlsx, .csv ya da .txt dosyası da olur."
)
NO_WORDS = (
    "Burada değerlendirebileceğim bir söz bulamadım; yalnızca emojiyle bilemiyorum. "
    "Birkaç kelime yazar mısın?"
)
ONLY_TWEET_LINK = (
    "Bağlantıları açamıyorum, bu yüzden tweeti göremiyorum 🙈 Metnini kopyalayıp buraya yapıştırır "
    "ya da yazılı bir mesaj olarak iletir misin?"
)
ONLY_LINKS = (
    "Bağlantıları açamıyorum 🙈 Değerlendirmemi istediğin metni kopyalayıp buraya yapıştırır mısın?"
)
FOREIGN = "🌐 Bu mesaj Türkçe görünmüyor. Ben yalnızca Türkçe biliyorum, bu sonuca pek güvenme."
NOT_FOUND = (
    "Bu mesajı değerlendirmemiştim, o yüzden düzeltecek bir sonuç yok. Sonuca ya da bana "
    "gönderdiğin mesaja yanıt ver; yeni bir mesajsa önce bana gönder."
)


def answer(analysis: Analysis, *, with_hint: bool = True) -> str:
    """The answer to a message: label, confidence, bar and all three scores, then its parts.

    Fits into a message, however many parts there are. The hint, its last paragraph, belongs to the
    buttons.
    """
    scores = analysis.prediction.scores
    hint = UNSURE_HINT if scores.is_unsure else CORRECT_HINT
    paragraphs = [
        _result(scores),
        _parts(analysis),
        FOREIGN if analysis.is_foreign else "",
        hint if with_hint else "",
    ]
    return "\n\n".join(filter(None, paragraphs))


def _parts(analysis: Analysis) -> str:
    """What is said of the parts: counts, unless it is one thought, and each line."""
    passages, scores = analysis.passages, analysis.scores
    unit = "satır" if passages.are_lines else "parça"
    lines = []
    if passages.whole is None:
        labels = [one.label for one in scores]
        counts = " · ".join(f"{label.emoji} {labels.count(label)}" for label in LABELS)
        lines.append(f"{len(labels)} {unit}: {counts}")
    if passages.are_lines:
        lines += [
            f"{one.label.emoji} {percent(one.confidence)} {shortened(part, _LONGEST_LINE)}"
            for part, one in zip(passages.parts, scores, strict=True)
        ]
    if passages.unread:
        lines.append(
            f"… ve {count(passages.unread)} {unit} daha; "
            f"bir mesajda en çok {len(passages.parts)} {unit} okuyorum."
        )
    return "\n".join(lines)


def _result(scores: Scores) -> str:
    compact = " · ".join(f"{label.emoji} {percent(scores.of(label))}" for label in LABELS)
    return (
        f"{name(scores.label)} · {percent(scores.confidence)}\n{bar(scores.confidence)}\n{compact}"
    )


def shows(answer: str, scores: Scores) -> bool:
    """Whether an answer says the label of these scores."""
    return f"{name(scores.label)} · " in answer


def correct_to(label: Label) -> str:
    """What a button says that gives an answer another label."""
    return f"✏️ {name(label)}"


def correction(change: Correction) -> str:
    """What a correction did, the label before and after; of another's message it is a vote."""
    if not change.by_author:
        return f"🗳️ Oyunu kaydettim: {name(change.new)}. Teşekkürler!"
    if change.old == change.new:
        return f"✅ Kaydettim: {name(change.new)}"
    return f"✏️ Düzelttim: {name(change.old)} → {name(change.new)}. Teşekkürler!"


def corrected_answer(change: Correction, shown: str) -> str:
    """The answer as it is shown, with the correction in place of its last paragraph."""
    kept, gap, _ = shown.rpartition("\n\n")
    return f"{kept}{gap}{correction(change)}"


def last_message(text: str) -> str:
    """The line above a reply to `/duzelt` that replied to nothing: which message it is about."""
    return f"Son mesajın: {_quoted(text, _LONGEST_QUOTE)}\n"


def did_you_mean(word: str, label: Label) -> str:
    """The reply to `/duzelt` with a word that looks like a slip."""
    return (
        f"{_quoted(word, _LONGEST_WORD)} diye bir etiket bilmiyorum. "
        f"Bunu mu demek istedin: {tr_lower(label.turkish)}?"
    )


def unknown_label(word: str) -> str:
    """The reply to `/duzelt` with a word that names no label."""
    return (
        f"{_quoted(word, _LONGEST_WORD)} diye bir etiket bilmiyorum. Şöyle yazabilirsin:\n"
        "😞 olumsuz, negatif, kötü, -\n"
        "😐 tarafsız, nötr, yansız, =\n"
        "😊 olumlu, pozitif, iyi, +\n"
        "Ya da aşağıdan seç 👇"
    )


def _quoted(text: str, longest: int) -> str:
    return f"“{shortened(text, longest)}”"
