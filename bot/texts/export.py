"""The Excel file of the corrections that may be trained with."""

from datetime import date

from bot.texts.wording import count

NOTHING = (
    "Eğitimde kullanılabilecek düzeltme henüz yok: kullanıcının onayı ve kabul edilmiş bir "
    "düzeltme gerekiyor. Bekleyenler: /inceleme"
)
IN_PRIVATE = "Kullanıcı mesajlarını burada göstermeyeyim; /disa_aktar komutunu bana özelden yaz."

MASKED = "Telefon, e-posta gibi kişisel veriler maskelendi; adlar metinlerde kalmış olabilir."


def caption(rows: int) -> str:
    """What comes with the file."""
    return (
        f"📎 Eğitimde kullanılabilecek düzeltmeler: {count(rows)} satır.\n"
        f"{MASKED} Onaylar geri alınabilir: eski dosyaları saklama."
    )


def file_name(day: date) -> str:
    """The file's name."""
    return f"duzeltmeler-{day:%Y-%m-%d}.xlsx"
