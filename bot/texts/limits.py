"""What a user hears of messages that are over a limit, once for many."""

BUSY = (
    "Şu an çok yoğunum 😅 Yetişemediğim mesajları atlıyorum; yanıtsız kalanı birkaç dakika sonra "
    "yeniden gönderir misin?"
)


def too_fast(rate: int) -> str:
    """To a user who writes faster than the limit a minute."""
    return (
        f"Sana yetişemiyorum 😅 Dakikada en çok {rate} mesaja ve {rate} komuta yanıt "
        "verebiliyorum, fazlasını atlıyorum. Birazdan yeniden yazar mısın?"
    )


def group_too_fast(rate: int) -> str:
    """To a group that writes faster than the limit a minute."""
    return (
        f"Bu gruba yetişemiyorum 😅 Burada dakikada en çok {rate} mesaja ve {rate} komuta yanıt "
        "verebiliyorum, fazlasını atlıyorum. Birazdan yeniden yazar mısınız?"
    )
