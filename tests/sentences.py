"""Labelled Turkish sentences, written for the tests: eight of each label."""

from training.data import Example
from tweetsent.labels import Label

_NEGATIVE = """
Bu kadar kötü bir servis görmedim, bir daha asla.
Telefon üç günde bozuldu, paramı geri istiyorum!
Yine mi yağmur, bütün planlarımız iptal oldu.
Garson suratsızdı, çorba da buz gibiydi.
Uygulama sürekli çöküyor, çok sinir bozucu.
Film o kadar sıkıcıydı ki yarısında çıktım.
Kargom kayboldu ve kimse ilgilenmiyor.
Maçtan sonra moralim yerle bir oldu.
"""
_NEUTRAL = """
Toplantı yarın saat onda başlayacak.
Otobüs bu durakta iki dakika bekliyor.
Kitap üç bölüm ve bir ekten oluşuyor.
Mağaza pazar günleri kapalı.
Başvurular ay sonuna kadar sürüyor.
Sunum dosyası ekte, kırk slayt var.
Tren Eskişehir üzerinden Ankara'ya gidiyor.
Yeni sürüm dün akşam yayımlandı.
"""
_POSITIVE = """
Bugün harika bir gün, içim içime sığmıyor!
Ellerinize sağlık, yemekler enfesti.
Bu şarkıya bayıldım, bütün gün dinledim.
Kargo bir günde geldi, çok memnun kaldım.
Sonunda sınavı geçtim, çok mutluyum!
Oyuncular muhteşemdi, herkese öneririm.
Ne güzel bir sürpriz, teşekkür ederim!
Yeni ofis ferah ve çok keyifli.
"""

SENTENCES = [
    Example(text, label)
    for label, block in zip(Label, (_NEGATIVE, _NEUTRAL, _POSITIVE), strict=True)
    for text in block.strip().splitlines()
]
