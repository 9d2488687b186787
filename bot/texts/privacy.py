"""What is stored, why and for how long, and the question whether to train with it."""

from datetime import datetime

from bot.texts.wording import count, date
from tweetsent.own_data import Person
from tweetsent.records import Consent

_WHAT_AND_WHY = """🔒 Gizlilik

Ne saklıyorum?
• Değerlendirdiğim mesajın temizlenmiş metni
• Senin ve sohbetin takma kimliği (adın ve Telegram numaran değil, onlardan türetilen bir kod)
• Sonuç, puanları ve yaptığın düzeltmeler
• Yanıtım yarıda kalmasın diye, Telegram'dan gelen iletinin kendisi
• Bana özelden yazdıysan, duyuru gönderebilmek için sohbetinin Telegram numarası: ayrı bir \
listede, mesajlarının yanında değil

Gönderdiğin dosyalardaki metinleri saklamam; dosya, sonucu hazırlanana kadar geçici olarak durur. \
Sohbet içi aramada (adım ve bir metin) yazdıklarını da saklamam.

Neden? Sana yanıt verebilmek, düzeltmeni doğru mesaja yazmak ve ne kadar isabetli olduğumu \
ölçmek için. Gruplarda yalnızca bana yöneltilen ya da /duygu ile (veya adımla) \
sorulan mesajları değerlendiririm.

Eğitim: Düzeltmelerin yalnızca onay verdiysen eğitimde kullanılır. Onay: /onay · \
Geri almak için: /onay_geri
Onay verdiysen, eğitime girmeden önce bir yönetici düzeltmene ve mesajının metnine bakabilir; \
kimin yazdığını görmez.
Metinler bu botun çalıştığı bilgisayarda değerlendirilir, başka bir yapay zekâ hizmetine \
gönderilmez."""
_HOW_LONG = """Ne kadar süre?
• {messages}
• Telegram'dan gelen ileti: işlenene kadar, işlenemezse bir hafta
• Sohbetinin numarası: sen /unut yazana ya da beni engelleyene kadar
• Dosyanın adı ve Telegram'daki kodu: sonucu hazırlanana kadar; bir dosya göndermiş olduğun: en \
çok sen /unut yazana kadar
• Onay verdiysen, metinlerinin girdiği eğitim kümeleri: sen /unut yazana kadar. Eğitilmiş modeller \
ise öğrendiklerini unutmaz."""
_MESSAGES_STAY = "Mesajların, sonuçları ve düzeltmelerin: sen /unut yazana kadar"
_MESSAGES_GO = (
    "Mesajların ve sonuçları: {days} gün; sonra metinleri ve takma kimlikler silinir, yalnızca "
    "sahipsiz sayılar kalır. Düzeltilenler ve düzeltmelerin: sen /unut yazana kadar"
)
_IN_YOUR_HANDS = """Senin elinde:
/gecmis: son mesajların · /verilerim: hepsi bir dosyada · /unut: hepsini sil"""
STATE_IN_PRIVATE = "Kendi onay durumunu görmek için bana özelden yaz: /gizlilik"
CONSENT_QUESTION = """🎓 Küçük bir soru: Düzeltmelerini, mesajlarının metniyle birlikte, modeli \
eğitmek için kullanabilir miyim?

Adın ve numaran kullanılmaz; gerekirse bir yönetici metne bakıp düzeltmeyi onaylar. \
Kararını /onay ve /onay_geri ile dilediğin an değiştirebilirsin. \
Hayır dersen de her şey aynı şekilde çalışır."""
CONSENT_YES = "✅ Evet, kullan"
CONSENT_NO = "Hayır"
CONSENT_NOT_YOURS = "Bu soru başkasına soruldu. Kendi kararın için: /onay ya da /onay_geri"


def privacy(keep_days: int | None) -> str:
    """What is stored, why and for how long, and what anybody can do about it."""
    messages = _MESSAGES_GO.format(days=count(keep_days)) if keep_days else _MESSAGES_STAY
    return "\n\n".join([_WHAT_AND_WHY, _HOW_LONG.format(messages=messages), _IN_YOUR_HANDS])


def consent_state(person: Person | None) -> str:
    """This user's own word on training, and since when it holds."""
    if person is None or person.consent_at is None:
        return "Şu an: onay vermedin."
    day = date(person.consent_at)
    if person.consent is Consent.GRANTED:
        return f"Şu an: {day} tarihinde onay verdin. ✅"
    return f"Şu an: onay vermedin ({day} tarihinde hayır dedin)."


def consent_saved(granted: bool, at: datetime) -> str:
    """A word on training was stored."""
    if granted:
        return (
            f"🎓 Teşekkürler! {date(at)} tarihinde onay verdin; düzeltmelerini eğitimde "
            "kullanabilirim. Vazgeçersen: /onay_geri"
        )
    return (
        f"Tamam, {date(at)} itibarıyla düzeltmelerini eğitimde kullanmayacağım. Fikrin "
        "değişirse /onay yazman yeterli."
    )
