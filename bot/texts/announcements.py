"""Announcements of an admin to everybody who writes to the bot."""

from bot.texts.wording import bar, count, percent
from tweetsent.records import Announcement, AnnouncementState

USAGE = (
    "Duyurunun metnini komuttan sonra yaz:\n"
    "/duyuru Yarın 10:00-11:00 arası bakımdayım.\n"
    "Ya da duyurmak istediğin mesaja yanıt olarak /duyuru yaz."
)
NO_TEXT = "Yanıt verdiğin mesajda metin yok; yalnızca metin duyurabilirim."
IN_PRIVATE = "Duyuruyu bana özelden yaz: /duyuru"
ONLY_ON_TELEGRAM = "Duyurular yalnızca Telegram'daki bottan gönderilir."
BUSY = "Şu an başka bir duyuru gönderiliyor. Bitince yeniden dene."
SEND = "📣 Gönder"
CANCEL = "Vazgeç"
STOP = "⏹ Durdur"
CANCELLED = "Tamam, duyuru gönderilmedi."
STARTED = "Gönderiyorum 📣"
STOPPING = "Durduruyorum…"


def question(recipients: int) -> str:
    """Asks, under the announcement as it will look, whether to send it."""
    return f"☝️ Bu duyuru {count(recipients)} özel sohbete gidecek. Göndereyim mi?"


def progress(announcement: Announcement) -> str:
    """How far it is."""
    share = min(announcement.attempted / max(announcement.recipients, 1), 1.0)
    return f"📣 Duyuru gönderiliyor\n{bar(share)} {percent(share)}\n{_counts(announcement)}"


def end(announcement: Announcement) -> str:
    """How it ended."""
    if announcement.state is AnnouncementState.CANCELLED:
        return f"⏹ Duyuru durduruldu.\n{_counts(announcement)}"
    return f"✅ Duyuru bitti.\n{_counts(announcement)}"


def _counts(announcement: Announcement) -> str:
    lost = announcement.attempted - announcement.sent - announcement.blocked
    lines = [f"📬 Giden: {count(announcement.sent)} / {count(announcement.recipients)}"]
    if announcement.blocked:
        lines.append(f"🚫 Botu engellemiş: {count(announcement.blocked)}")
    if lost:
        lines.append(f"❔ Ulaşmamış olabilir: {count(lost)}")
    return "\n".join(lines)
