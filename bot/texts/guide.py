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
IN_GROUPS = ("yardim", "duygu", "duzelt", "gizlilik")
"""Those of it that groups are shown."""
ADMIN_COMMANDS = {
    "stats": "Sayılar ve isabet; /stats 7: son 7 gün",
    "saglik": "Kuyruk, süreler, model, son eğitim",
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

💬 Yazdığın, ilettiğin mesajların ve fotoğraf, video, belge açıklamalarının duygusunu söylerim. \
Mesajını düzenlersen sonucu da güncellerim.
📝 Birkaç satır ya da bir liste gönderirsen her satırı ayrı ayrı da değerlendiririm. Bağlantıları \
açamam; tweetin metnini yapıştır.
📄 .xlsx, .csv ya da .txt gönder; her satırın duygusunu ekleyip geri yollarım.
👥 Gruplarda yalnızca benden söz edersen, bana yanıt verirsen ya da bir mesaja /duygu diye yanıt \
verirsen konuşurum.
⌨️ Herhangi bir sohbette adımı ve bir metin yaz: sonucunu paylaşabilirsin; onu saklamam.

✏️ Doğruysam ✅ Doğru'ya, yanıldıysam doğrusuna dokun. Ya da /duzelt olumlu yaz: yanıt olarak \
yazarsan o mesaj, yanıtsız yazarsan son mesajın düzelir. Grupta başkasının mesajı için yazarsan \
senin oyun sayılır.

🗂 /gecmis: son mesajların · 📊 /istatistik: sayıların
🔒 /gizlilik: neyi, neden, ne kadar sakladığım
📦 /verilerim: seninle ilgili her şey bir dosyada · 🗑 /unut: hepsini sil
🎓 /onay, /onay_geri: düzeltmelerinle öğrenmeme izin ver ya da iznini geri al"""
HELP_FOR_ADMINS = f"""{HELP}

Yöneticiler için:
📊 /stats: sayılar ve isabet (/stats 7: son 7 gün; /stats 30 sürüm: bir model)
🩺 /saglik: veritabanı, kuyruk, süreler, model ve son eğitim
🗂 /inceleme: eğitime girmeden önce bakılması gereken düzeltmeler
📎 /disa_aktar: eğitimde kullanılabilecek düzeltmeler, Excel olarak
🎓 /egit: düzeltmelerle yeniden eğit; yeni model daha iyiyse devreye girer
🤖 /model: hangi model yanıtlıyor · ↩️ /geri_al: bir önceki modele dön
📣 /duyuru metin: bana yazan herkese duyuru"""
ADMINS_ONLY = "Bu komut yalnızca botun yöneticileri için. Sana /yardim ile yardımcı olabilirim 🙂"
UNKNOWN_COMMAND = "Bu komutu bilmiyorum. Neler yapabildiğim burada: /yardim"


def did_you_mean(command: str) -> str:
    """The reply to a command that looks like a slip."""
    return f"Bu komutu bilmiyorum. Bunu mu demek istedin: /{command}?"
