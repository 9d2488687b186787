"""The corrections that wait for an admin."""

from bot.texts.wording import count, name, percent
from tweetsent.records import Reason, ReviewItem

_LONGEST_TEXT = 1500
ACCEPT = "✅ Kabul"
REJECT = "❌ Ret"
SKIP = "⏭ Atla"
SKIPPED = "Atladım"
TOO_LATE = (
    "Bu düzeltme artık beklemiyor: başka bir yönetici karar vermiş, kullanıcı değiştirmiş ya da "
    "onayını geri almış olabilir."
)
IN_PRIVATE = "Kullanıcı mesajlarını burada göstermeyeyim; /inceleme komutunu bana özelden yaz."
_REASONS = {
    Reason.DISAGREEMENT: "Kullanıcılar anlaşamadı.",
    Reason.SINGLE_VOICE: "Mesajın sahibi değil, başka tek bir kullanıcı düzeltti.",
    Reason.MODEL_IS_SURE: "Model başka bir etiketten çok emin.",
    Reason.OFTEN_OVERRULED: "Bu kullanıcının düzeltmelerinin çoğu reddedildi.",
    Reason.OFTEN_CONTRARY: "Bu kullanıcı, modelin çok emin olduğu sonuçları sık sık değiştiriyor.",
    Reason.ANONYMOUS: "Web sayfasının kimliği bilinmeyen bir ziyaretçisi düzeltti.",
    Reason.SUSPICIOUS_LABEL: "Eğitim öncesi kontrolde etiket şüpheli çıktı.",
}


def item(item: ReviewItem, left: int) -> str:
    """A correction that waits for an admin, with all there is to know; `left` counts it too."""
    text = item.text
    if len(text) > _LONGEST_TEXT:
        text = f"{text[:_LONGEST_TEXT]}…"
    lines = [
        f"🗂 İnceleme · kalan: {count(left)}",
        "",
        f"“{text}”",
        "",
        f"🤖 Model: {name(item.scores.label)} · {percent(item.scores.confidence)}",
        f"👤 Kullanıcı: {name(item.label)}",
    ]
    if item.others:
        others = " · ".join(f"{name(label)} ×{count}" for label, count in item.others.items())
        lines.append(f"👥 Başkaları: {others}")
    reason = _REASONS.get(item.reason)
    return "\n".join([*lines, f"❓ {reason}"] if reason else lines)


def end(skipped: int) -> str:
    """What comes after the last correction that waits."""
    if skipped:
        return f"🗂 Sıranın sonu. Atlananlar: {count(skipped)}. Onlara dönmek için: /inceleme"
    return "🗂 İncelenecek düzeltme kalmadı. 🎉"
