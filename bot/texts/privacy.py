"""What is stored and why, and the question whether to train with it."""

from tweetsent.records import Consent

_PRIVACY = """🔒 Gizlilik

Ne saklıyorum?
• Değerlendirdiğim mesajın temizlenmiş metni
• Senin ve sohbetin takma kimliği (adın ve Telegram numaran değil, onlardan türetilen bir kod)
• Sonuç, puanları ve yaptığın düzeltmeler
• Yanıtım yarıda kalmasın diye, Telegram'dan gelen iletinin kendisi: işlenene kadar, \
işlenemezse bir hafta

Neden? Sana yanıt verebilmek, düzeltmeni doğru mesaja yazmak ve ne kadar isabetli olduğumu \
ölçmek için. Gruplarda yalnızca bana yöneltilen mesajları değerlendiririm.

Eğitim: Düzeltmelerin yalnızca onay verdiysen eğitimde kullanılır. Onay: /onay · \
Geri almak için: /onay_geri
Onay verdiysen, eğitime girmeden önce bir yönetici düzeltmene ve mesajının metnine bakabilir; \
kimin yazdığını görmez.
Metinler bu botun çalıştığı bilgisayarda değerlendirilir, başka bir yapay zekâ hizmetine \
gönderilmez."""
_CONSENT_STATE = {
    Consent.UNASKED: "Şu an: onay vermedin.",
    Consent.GRANTED: "Şu an: onay verdin. ✅",
    Consent.REFUSED: "Şu an: onay vermedin.",
}
CONSENT_QUESTION = """🎓 Küçük bir soru: Düzeltmelerini, mesajlarının metniyle birlikte, modeli \
eğitmek için kullanabilir miyim?

Adın ve numaran kullanılmaz; gerekirse bir yönetici metne bakıp düzeltmeyi onaylar. \
Kararını /onay ve /onay_geri ile dilediğin an değiştirebilirsin. \
Hayır dersen de her şey aynı şekilde çalışır."""
CONSENT_YES = "✅ Evet, kullan"
CONSENT_NO = "Hayır"
CONSENT_GRANTED = "🎓 Teşekkürler! Düzeltmelerini eğitimde kullanabilirim. Vazgeçersen: /onay_geri"
CONSENT_REFUSED = (
    "Tamam, düzeltmelerini eğitimde kullanmayacağım. Fikrin değişirse /onay yazman yeterli."
)
CONSENT_NOT_YOURS = "Bu soru başkasına soruldu. Kendi kararın için: /onay ya da /onay_geri"


def privacy(consent: Consent) -> str:
    """What is stored and why, and this user's own word on training."""
    return f"{_PRIVACY}\n\n{_CONSENT_STATE[consent]}"
