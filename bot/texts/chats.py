"""Where messages come from, and asking for one."""

from bot.texts.wording import shortened

_LONGEST_NAME = 60
ASK_WHAT = (
    "Hangi mesaja bakayım? Bir mesaja yanıt olarak /duygu yaz ya da metni ardına ekle, örneğin: "
    "/duygu bugün harika bir gün"
)


def origin(name: str) -> str:
    """The first line of the answer to a forwarded message."""
    return f"↪️ {shortened(name, _LONGEST_NAME)}"
