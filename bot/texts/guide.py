"""What the bot can do: greeting, help and the menu of commands."""

COMMANDS = {
    "yardim": "Neler yapabildiğim",
    "duygu": "Bir mesajın duygusunu sor",
    "duzelt": "Bir sonucu düzelt",
    "gizlilik": "Neyi, neden sakladığım",
    "gecmis": "Son mesajlarım ve sonuçları",
    "istatistik": "Sayılarım",
    "verilerim": "Benimle ilgili her şey bir dosyada",
    "unut": "Benimle ilgili her şeyi sil",
    "onay": "Düzeltmelerimle öğrenmene izin ver",
    "onay_geri": "Verdiğim izni geri al",
}
"""The command menu."""
IN_GROUPS = ("yardim", "duzelt", "gizlilik")
"""Those of it that groups are shown."""
ADMIN_COMMANDS = {
    "stats": "Sayılar ve isabet; /stats 7: son 7 gün",
    "inceleme": "Bekleyen düzeltmelere bak",
    "disa_aktar": "Eğitim düzeltmelerini Excel olarak al",
    "duyuru": "Herkese duyuru gönder",
    "model": "Hangi model yanıtlıyor",
    "egit": "Düzeltmelerle yeniden eğit",
    "geri_al": "Bir önceki modele dön",
}
"""What the menu of an admin's own chat has beside them."""
START = """Merhaba! 👋 Türkçe mesajların duygusunu söylerim: 😞 olumsuz, 😐 tarafsız, 😊 olumlu.

Bana bir mesaj yaz ya da ilet; gerisini bana bırak.
Yanılırsam sonucun altındaki düğmelerden doğrusunu seç.

Ayrıntılar: /yardim · Verilerin: /gizlilik"""
HELP = """Neler yapabilirim?

💬 Yazdığın, ilettiğin mesajların ve fotoğraf, video, belge açıklamalarının duygusunu söylerim.
👥 Gruplarda yalnızca benden söz edersen ya da bana yanıt verirsen konuşurum.
✏️ Yanıldıysam sonucun altından doğru etiketi seç. Ya da sonuca (veya mesajın kendisine) yanıt \
olarak /duzelt olumlu yaz; etiketsiz /duzelt yazarsan seçenekleri gösteririm.
🔒 /gizlilik: neyi, neden sakladığım
🎓 /onay, /onay_geri: düzeltmelerinle öğrenmeme izin ver ya da iznini geri al"""
HELP_FOR_ADMINS = f"""{HELP}

Yöneticiler için:
📊 /stats: sayılar ve isabet
🗂 /inceleme: eğitime girmeden önce bakılması gereken düzeltmeler
🎓 /egit: düzeltmelerle yeniden eğit; yeni model daha iyiyse devreye girer
🤖 /model: hangi model yanıtlıyor · ↩️ /geri_al: bir önceki modele dön"""
ADMINS_ONLY = "Bu komut yalnızca botun yöneticileri için. Sana /yardim ile yardımcı olabilirim 🙂"
UNKNOWN_COMMAND = "Bu komutu bilmiyorum. Neler yapabildiğim burada: /yardim"
