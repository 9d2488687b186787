"""The statistics for admins."""

from bot.texts.wording import count, decimal, percent
from tweetsent.labels import LABELS
from tweetsent.records import Stats

_SHOWN_MODELS = 3
PICTURE_TITLE = "Düzeltmelere göre isabet"
PICTURE_ROWS = "Kullanıcının dediği"
PICTURE_COLUMNS = "Modelin dediği"
PICTURE_CAPTION = "Satırlar kullanıcıların, sütunlar modelin dediği."


def stats(numbers: Stats) -> str:
    """The statistics for admins."""
    labels = " · ".join(
        f"{label.emoji} {count(numbers.by_label.get(label, 0))}" for label in LABELS
    )
    lines = [
        "📊 İstatistikler",
        f"👥 Kullanıcı: {count(numbers.users)}",
        f"💬 Tahmin: {count(numbers.predictions)} "
        f"(son 24 saatte {count(numbers.predictions_last_day)})",
        f"     {labels}",
        f"✏️ Düzeltme: {count(numbers.corrections)} "
        f"(eğitim izni olan: {count(numbers.trainable_corrections)})",
        _quality(numbers),
    ]
    if numbers.latency_ms_p50 is not None and numbers.latency_ms_p95 is not None:
        lines.append(
            f"⚡ Süre: ortanca {numbers.latency_ms_p50:.0f} ms, "
            f"%95'i en çok {numbers.latency_ms_p95:.0f} ms"
        )
    models = list(numbers.by_model.items())[:_SHOWN_MODELS]
    lines += [f"🤖 {version}: {count(made)} tahmin" for version, made in models]
    return "\n".join(lines)


def _quality(numbers: Stats) -> str:
    if numbers.accuracy is None or numbers.macro_f1 is None:
        return "🎯 Henüz düzeltme yok; isabeti ölçmek için önce düzeltme gerekiyor."
    return (
        f"🎯 Düzeltmelere göre doğruluk: {percent(numbers.accuracy)} · "
        f"Makro-F1: {decimal(numbers.macro_f1)}"
    )
