"""The statistics for admins."""

from bot.texts.wording import count, decimal, percent, shortened
from tweetsent.labels import LABELS
from tweetsent.records import Scope, Stats, Trend

_SHOWN_MODELS = 3
_MOST_VERSIONS = 20
USAGE = (
    "Şöyle yazabilirsin:\n"
    "/stats: bugüne kadarki her şey\n"
    "/stats 7: bugün ve önceki 6 gün (UTC)\n"
    "/stats 30 model-adı: son 30 günde bir modelin yanıtları"
)
PICTURE_TITLE = "Düzeltmelere göre isabet"
PICTURE_ROWS = "Kullanıcının dediği"
PICTURE_COLUMNS = "Modelin dediği"
PICTURE_CAPTION = "Satırlar kullanıcıların, sütunlar modelin dediği."


def scope_name(scope: Scope) -> str:
    """What the statistics are of."""
    period = "Tüm zamanlar" if scope.days is None else f"Son {count(scope.days)} gün"
    return period if scope.model is None else f"{period} · {scope.model}"


def trend_caption(trend: Trend) -> str:
    """What the picture of the trend shows."""
    messages = f"{'Haftalara' if trend.is_weekly else 'Günlere'} göre mesajlar"
    if trend.corrections.any():
        return f"{messages} ve bu mesajların düzeltmelerine göre doğruluk."
    return f"{messages}."


def unseen_version(version: str, seen: list[str]) -> str:
    """The reply to `/stats` with a version of which there is no answer."""
    text = f"“{shortened(version, 60)}” sürümünün hiç yanıtı yok."
    if not seen:
        return text
    lines = [f"• {name}" for name in seen[:_MOST_VERSIONS]]
    return "\n".join([f"{text} Yanıtı olan sürümler:", *lines, "", USAGE])


def stats(numbers: Stats, scope: Scope) -> str:
    """The statistics for admins."""
    labels = " · ".join(
        f"{label.emoji} {count(numbers.by_label.get(label, 0))}" for label in LABELS
    )
    lines = [
        "📊 İstatistikler" + ("" if scope == Scope() else f": {scope_name(scope)}"),
        f"👥 Kullanıcı: {count(numbers.users)}",
        f"💬 Tahmin: {count(numbers.predictions)} "
        f"(son 24 saatte {count(numbers.predictions_last_day)})",
        f"     {labels}",
        f"✏️ Düzeltme: {count(numbers.corrections)} "
        f"(eğitim izni olan: {count(numbers.trainable_corrections)})",
        *_confirmations(numbers),
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


def _confirmations(numbers: Stats) -> list[str]:
    if not numbers.corrections:
        return []
    return [
        f"     doğru bulunan {count(numbers.confirmations)} · değiştirilen {count(numbers.changes)}"
    ]


def _quality(numbers: Stats) -> str:
    if numbers.accuracy is None or numbers.macro_f1 is None:
        return "🎯 Henüz düzeltme yok; isabeti ölçmek için önce düzeltme gerekiyor."
    return (
        f"🎯 Düzeltmelere göre doğruluk: {percent(numbers.accuracy)} · "
        f"Makro-F1: {decimal(numbers.macro_f1)}"
    )
